"""Events folded into the states of their batches, and what is to be said about it. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from quire_notifier.projecting.feed_messages import feed_messages
from quire_schemas.batch import BatchState, evolve
from quire_schemas.events import Event
from quire_schemas.messages import AnyFeedMessage


class Change(NamedTuple):
    """A batch before and after events that follow each other."""

    before: BatchState | None
    after: BatchState


class Folded(NamedTuple):
    """What changed, by batch id, and the feed messages in the order of the events, not numbered yet."""

    changes: dict[str, Change]
    messages: list[AnyFeedMessage]
    accepted: int


def fold(events: Iterable[tuple[Event, int]], states: Mapping[str, BatchState]) -> Folded:
    """Folds events with their offsets, those of one batch in the order of the log. `states` are those of the batches known."""
    changes: dict[str, Change] = {}
    messages: list[AnyFeedMessage] = []
    accepted = 0
    for event, offset in events:
        batch_id = event.batch_id
        change = changes.get(batch_id)
        before = change.after if change is not None else states.get(batch_id)
        after = evolve(before, event, offset)
        if after is None or after is before:
            continue
        accepted += 1
        messages += feed_messages(before, after, event)
        changes[batch_id] = Change(change.before if change is not None else before, after)
    return Folded(changes, messages, accepted)
