"""The spans named `push`: from the feed to the subscribers, in the traces that came with the notification."""

from collections.abc import Sequence

from quire_runtime import tracing


class Pushes:
    """Spans of new messages. A span begins with the notification and ends when the messages are written to every live
    subscriber.
    """

    def __init__(self) -> None:
        self._open: list[tuple[int, tracing.Span]] = []

    def begin(self, collection_id: str, last_seq: int, traces: Sequence[str]) -> None:
        """Begins one span for each traceparent. The spans of `traces` have appended messages up to `last_seq`, or a little
        before.
        """
        attributes: tracing.Attributes = {"quire.collection.id": collection_id, "quire.feed.seq": last_seq}
        self._open += [(last_seq, tracing.span("push", attributes, parent=trace)) for trace in traces]

    def written(self, seq: int, subscribers: int) -> None:
        """Ends the spans of messages up to `seq`, which are now written."""
        if not self._open:
            return
        for last_seq, span in self._open:
            if last_seq <= seq:
                span.set({"quire.subscribers": subscribers})
                span.end()
        self._open = [(last_seq, span) for last_seq, span in self._open if last_seq > seq]

    def clear(self) -> None:
        """Drops all open spans: their messages will not be written, because subscribers start over."""
        self._open = []
