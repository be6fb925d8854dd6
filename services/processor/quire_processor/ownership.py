"""Folds the partitions that this processor owns, and says which offsets may be committed (docs/design.md, "Ownership"). Pure.

Records come in through `fold`, batch by batch states come out through `state` and `batches`. A batch that is not
known yet is *unconfirmed* until `confirm` says how it ended, if it did: a repeated `BatchCreated` of a batch that ended
long ago must not be worked on again, and a retry goes on from that end, not from what its sender believed. Its records
wait in the order of the log meanwhile, so nothing is decided on half the history.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from quire_processor.packing import PackedEvent, pack_event, pack_state, unpack_event, unpack_state
from quire_schemas.batch import BatchState, evolve
from quire_schemas.events import BatchCreated, BatchRetryRequested, BatchStarted, Event


@dataclass(slots=True)
class Entry:
    """A batch of an owned partition. `runs` are all that this generation has seen started, accepted or not.

    `start` is where a later owner has to begin: the record that opened the batch, or, while the end before a retry is not
    remembered yet (`reopened` is that end), the one that had opened it then. The state of a queued batch is kept packed: there
    may be a million files that wait.
    """

    partition: int
    start: int
    waiting: list[tuple[int, Event | PackedEvent]] | None
    reopened: BatchState | None = None
    runs: frozenset[str] = frozenset()
    traceparent: str | None = None
    _kept: BatchState | bytes | None = None

    @property
    def state(self) -> BatchState | None:
        """None while the batch is not confirmed. A queued batch gives an equal object each time, not the same."""
        return unpack_state(self._kept) if isinstance(self._kept, bytes) else self._kept

    @state.setter
    def state(self, state: BatchState | None) -> None:
        self._kept = pack_state(state) if state is not None and state.status == "queued" else state


@dataclass(slots=True)
class View:
    """A partition folded up to `position`, live once that has reached the high watermark of its assignment."""

    position: int
    high_watermark: int
    batches: dict[str, Entry] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return self.position >= self.high_watermark


class Ownership:
    """What the log says of the batches of our partitions. Pure: partitions come by `begin` and go by `retain`."""

    def __init__(self) -> None:
        self._views: dict[int, View] = {}
        self._where: dict[str, View] = {}
        self._unconfirmed: set[str] = set()

    def retain(self, partitions: frozenset[int]) -> tuple[str, ...]:
        """Forget every partition but these; returns the ids of the batches that went with the others."""
        lost = [batch_id for number, view in self._views.items() if number not in partitions for batch_id in view.batches]
        self._views = {number: view for number, view in self._views.items() if number in partitions}
        for batch_id in lost:
            self._forget(batch_id)
        return tuple(lost)

    def begin(self, partition: int, position: int) -> None:
        """Start to fold a partition that is new to us."""
        self._views[partition] = View(position, position)

    def catch_up(self, high_watermarks: Mapping[int, int]) -> None:
        """Partitions are live only once they are folded up to these: others may have written while we were away."""
        for number, high_watermark in high_watermarks.items():
            self._views[number].high_watermark = high_watermark

    def position(self, partition: int) -> int | None:
        """The next offset to fold, None where the partition is new."""
        view = self._views.get(partition)
        return None if view is None else view.position

    def live(self, partition: int) -> bool:
        view = self._views.get(partition)
        return view is not None and view.live

    def fold(self, partition: int, offset: int, event: Event | None) -> str | None:
        """Take one record (None: not an event of ours); returns the batch's id where its state has changed."""
        view = self._views.get(partition)
        if view is None or offset < view.position:
            return None
        view.position = offset + 1
        if event is None:
            return None
        entry = view.batches.get(event.batch_id)
        if entry is None:
            if isinstance(event.data, BatchCreated | BatchRetryRequested):
                self._await_confirmation(view, partition, offset, event)
            return None
        if entry.waiting is not None:
            entry.waiting.append((offset, pack_event(event)))
            return None
        return event.batch_id if _apply(entry, offset, event) else None

    def unconfirmed(self) -> tuple[str, ...]:
        """The batches of which has to be looked up how they ended, if they did."""
        return tuple(self._unconfirmed)

    def confirm(self, remembered: Mapping[str, BatchState | None]) -> tuple[str, ...]:
        """Fold what has waited for the answer (None: it never ended) onto it; returns the batches that are there now."""
        known = []
        for batch_id, ended in remembered.items():
            if batch_id not in self._unconfirmed:
                continue
            self._unconfirmed.discard(batch_id)
            entry = self._where[batch_id].batches[batch_id]
            waiting, entry.waiting = entry.waiting or [], None
            entry.state = None if _outdated(ended, unpack_event(waiting[0][1])) else ended
            for offset, packed in waiting:
                _apply(entry, offset, unpack_event(packed))
            if (state := entry.state) is ended or state is None:
                self.drop(batch_id)
                continue
            if ended is not None:
                self.remembered(ended)
            known.append(batch_id)
        return tuple(known)

    def entry(self, batch_id: str) -> Entry | None:
        view = self._where.get(batch_id)
        return None if view is None else view.batches[batch_id]

    def state(self, batch_id: str) -> BatchState | None:
        entry = self.entry(batch_id)
        return None if entry is None else entry.state

    def batches(self, partition: int) -> Iterator[str]:
        """The confirmed batches of a partition."""
        view = self._views.get(partition)
        return iter(()) if view is None else (key for key, entry in view.batches.items() if entry.waiting is None)

    def remembered(self, ended: BatchState) -> None:
        """This end of a batch is remembered elsewhere: what led to it need not be read again, and where nothing followed, the
        batch is forgotten here.
        """
        entry = self.entry(ended.batch_id)
        if entry is None or (state := entry.state) is None:
            return
        if state is ended:
            self.drop(ended.batch_id)
        elif entry.reopened is ended:
            entry.start, entry.reopened = state.start_offset, None

    def drop(self, batch_id: str) -> None:
        """Forget a batch that has ended and is remembered elsewhere."""
        view = self._where.get(batch_id)
        if view is not None:
            del view.batches[batch_id]
            self._forget(batch_id)

    def marks(self) -> dict[int, int]:
        """What may be committed of each live partition: the lowest start of what is not over, else the position."""
        return {
            number: min((entry.start for entry in view.batches.values()), default=view.position)
            for number, view in self._views.items()
            if view.live
        }

    def _await_confirmation(self, view: View, partition: int, offset: int, event: Event) -> None:
        view.batches[event.batch_id] = Entry(partition, offset, [(offset, pack_event(event))])
        self._where[event.batch_id] = view
        self._unconfirmed.add(event.batch_id)

    def _forget(self, batch_id: str) -> None:
        self._where.pop(batch_id, None)
        self._unconfirmed.discard(batch_id)


def _outdated(ended: BatchState | None, first: Event) -> bool:
    """Whether a retry describes a later end than the one that is remembered: then its description is the better one."""
    return ended is not None and isinstance(first.data, BatchRetryRequested) and first.data.generation > ended.generation


def _apply(entry: Entry, offset: int, event: Event) -> bool:
    before = entry.state
    after = evolve(before, event, offset)
    if isinstance(event.data, BatchStarted):
        entry.runs |= {event.data.run_id}
    if after is None or after is before:
        return False
    if after.start_offset == offset:
        entry.reopened, entry.traceparent = before, event.traceparent
        entry.runs = frozenset()
    entry.state = after
    return True
