"""What a log says, found out with nothing but the fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quire_schemas.batch import evolve
from quire_schemas.events import Event, FileProcessed
from quire_schemas.states import BatchState


def folded(log: Iterable[tuple[int, Event]]) -> tuple[dict[str, BatchState], Counter[tuple[str, int]]]:
    """Where the log says each batch stands, and how often each file was processed in a generation."""
    states: dict[str, BatchState] = {}
    processed: Counter[tuple[str, int]] = Counter()
    for offset, event in log:
        before = states.get(event.batch_id)
        after = evolve(before, event, offset)
        if after is not None and after is not before:
            states[event.batch_id] = after
            if isinstance(event.data, FileProcessed):
                processed[event.data.file_id, after.generation] += 1
    return states, processed
