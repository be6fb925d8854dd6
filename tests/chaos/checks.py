"""What Quire promises, checked from outside on what was collected after the storm. Pure: facts in, sentences out."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.folding import folded

from quire_schemas.batch import BatchState, evolve
from quire_schemas.events import Event
from quire_schemas.object_keys import ARTEFACTS


@dataclass
class Facts:
    """`accepted`: batch ids of every 202. `log`: events with their offsets, each batch's in order. `batches`, `files` and
    `documents`: rows of the tables. `feed`: messages by collection. `seen`: the seqs that each subscriber was sent, a list from
    each snapshot on. `objects`: keys in the store, after a sweep.
    """

    accepted: Sequence[str] = ()
    log: Sequence[tuple[int, Event]] = ()
    batches: Sequence[Mapping[str, Any]] = ()
    files: Sequence[Mapping[str, Any]] = ()
    documents: Sequence[Mapping[str, Any]] = ()
    feed: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    seen: Sequence[Sequence[int]] = ()
    objects: frozenset[str] = frozenset()


def violations(facts: Facts) -> list[str]:
    states, lineage = folded(facts.log)
    return [
        *lost(facts, states),
        *unfinished(states),
        *repeated(lineage),
        *after_the_end(facts.log),
        *misprojected(facts, states),
        *misfed(facts),
        *misseen(facts),
        *misstored(facts, states),
    ]


def lost(facts: Facts, states: Mapping[str, BatchState]) -> Iterator[str]:
    for batch_id in facts.accepted:
        if batch_id not in states:
            yield f"batch {batch_id} was promised by a 202 and is not in the log"


def unfinished(states: Mapping[str, BatchState]) -> Iterator[str]:
    for state in states.values():
        if not state.terminal:
            yield f"batch {state.batch_id} is left {state.status}, attempt {state.attempt}"
        elif state.total != state.count("processed") + state.count("failed") + state.count("cancelled"):
            yield f"batch {state.batch_id} does not close: {state.total} files"


def repeated(lineage: Counter[tuple[str, int]]) -> Iterator[str]:
    for (file_id, generation), times in lineage.items():
        if times > 1:
            yield f"file {file_id} was processed {times} times in generation {generation}"


def after_the_end(log: Sequence[tuple[int, Event]]) -> Iterator[str]:
    """No terminal state is changed but by an accepted retry."""
    states: dict[str, BatchState] = {}
    for offset, event in log:
        before = states.get(event.batch_id)
        after = evolve(before, event, offset)
        changed = before is not None and after is not None and after is not before
        if changed and before.terminal and after.generation == before.generation:
            yield f"batch {event.batch_id} was changed after its end by {event.type} at {offset}"
        if after is not None:
            states[event.batch_id] = after


def misprojected(facts: Facts, states: Mapping[str, BatchState]) -> Iterator[str]:
    rows = {row["batch_id"]: row for row in facts.batches}
    for batch_id, state in states.items():
        wanted = (state.status, state.generation, state.attempt, state.count("processed"), state.count("failed"))
        row = rows.get(batch_id)
        got = row and tuple(row[name] for name in ("status", "generation", "attempt", "processed", "failed"))
        if got != wanted:
            yield f"batch {batch_id} is projected as {got}, the log says {wanted}"
    standings = {(row["batch_id"], row["id"]): row["processing_status"] for row in facts.files}
    for state in states.values():
        for file in state.files.values():
            if standings.get((state.batch_id, file.file_id)) != file.standing:
                yield f"file {file.file_id} is projected as {standings.get((state.batch_id, file.file_id))}, not {file.standing}"


def misfed(facts: Facts) -> Iterator[str]:
    for name, messages in facts.feed.items():
        if [message["seq"] for message in messages] != list(range(1, len(messages) + 1)):
            yield f"the feed of {name} is not contiguous"


def misseen(facts: Facts) -> Iterator[str]:
    for number, seqs in enumerate(facts.seen):
        gaps = [(one, other) for one, other in itertools.pairwise(seqs) if other != one + 1]
        if gaps:
            yield f"subscriber {number} saw {gaps[0][1]} after {gaps[0][0]}"


def misstored(facts: Facts, states: Mapping[str, BatchState]) -> Iterator[str]:
    files = [file for state in states.values() for file in state.files.values()]
    processed = {file.file_id for file in files if file.standing == "processed"}
    rows = {row["file_id"] for row in facts.documents}
    if rows != processed:
        yield f"{len(processed - rows)} processed files have no rows, {len(rows - processed)} others have some"
    named = {key for file in files for key in (file.text_key, file.thumbnail_key) if key is not None}
    there = {key for key in facts.objects if key.startswith(ARTEFACTS)}
    if there != named:
        yield f"{len(named - there)} artefacts are missing, {len(there - named)} are there that nobody names"
    originals = {file.object_key for file in files}
    if missing := originals - facts.objects:
        yield f"{len(missing)} originals are missing"
