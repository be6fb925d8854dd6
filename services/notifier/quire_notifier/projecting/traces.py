"""The spans named `project`: from the log to the tables, in the traces that the events carry. `pushing/pushes.py` continues
them.

A poll has one span for each batch and trace in it, not one for each event. The notification about new feed messages carries the
traceparents of these spans to every notifier.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from quire_notifier.projecting.fold import Folded
from quire_runtime import tracing
from quire_runtime.consumer import LogRecord
from quire_schemas.events import Event


class Projected(NamedTuple):
    """The spans of a poll by batch id."""

    spans: Mapping[str, Sequence[tracing.Span]]

    def onward(self, folded: Folded) -> dict[str, list[str]]:
        """Returns, by collection, the traceparents of the spans whose batches have new feed messages."""
        if not self.spans:
            return {}
        found: dict[str, list[str]] = {}
        for batch_id, name in {message.batch_id: message.collection_id for message in folded.messages}.items():
            traces = [span.traceparent for span in self.spans.get(batch_id, ()) if span.traceparent is not None]
            if traces:
                found.setdefault(name, []).extend(traces)
        return found


NOTHING = Projected({})


@contextmanager
def projecting(records: Sequence[LogRecord]) -> Iterator[Projected]:
    """Holds the spans of a poll open while the poll is projected."""
    if not tracing.enabled():
        yield NOTHING
        return
    begun: dict[str, list[tracing.Span]] = {}
    for events in _by_trace(records):
        begun.setdefault(events[0].batch_id, []).append(_begin(events))
    spans = [span for of_batch in begun.values() for span in of_batch]
    try:
        yield Projected(begun)
    except Exception as error:
        for span in spans:
            span.fail(type(error).__name__, str(error))
        raise
    finally:
        for span in spans:
            span.end()


def _by_trace(records: Sequence[LogRecord]) -> Iterator[list[Event]]:
    """Yields the events of each batch in each recorded trace, in the order of the log."""
    found: dict[tuple[str, str], list[Event]] = {}
    for record in records:
        event = record.event
        if event is not None and event.traceparent is not None and tracing.sampled(event.traceparent):
            found.setdefault((event.batch_id, tracing.trace_id(event.traceparent)), []).append(event)
    yield from found.values()


def _begin(events: Sequence[Event]) -> tracing.Span:
    """Begins a span that is a child of the newest event's span, with links to the spans of the other events."""
    *others, newest = events
    attributes: tracing.Attributes = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "project",
        "messaging.batch.message_count": len(events),
        "quire.batch.id": newest.batch_id,
        "quire.collection.id": newest.collection_id,
    }
    links = [event.traceparent or "" for event in others]
    return tracing.span("project", attributes, kind="consumer", parent=newest.traceparent, links=links)
