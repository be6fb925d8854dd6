"""Folds events into the states of their batches, and collects the feed messages that result. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from quire_notifier.projecting.feed_messages import feed_messages
from quire_schemas.batch import evolve
from quire_schemas.events import Event
from quire_schemas.messages import AnyFeedMessage
from quire_schemas.states import BatchState


class Change(NamedTuple):
    """The state of a batch before and after a run of events."""

    before: BatchState | None
    after: BatchState


class Folded(NamedTuple):
    """The result of a fold: changes by batch id, feed messages in the order of the events and not numbered yet, and the number
    of accepted events.
    """

    changes: dict[str, Change]
    messages: list[AnyFeedMessage]
    accepted: int


def fold(events: Iterable[tuple[Event, int]], states: Mapping[str, BatchState]) -> Folded:
    """Folds pairs of event and offset; the events of one batch must be in the order of the log. `states` holds the states of
    the batches that are already known.
    """
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
