"""Folds the partitions of this processor, and computes which offsets may be committed (docs/design.md, "Ownership"). Pure.

Records come in through `fold`; the states of batches come out through `state` and `batches`. A batch that is new here is
*unconfirmed* until `confirm` tells whether and how it ended before: a repeated `BatchCreated` of a batch that ended long ago
must not be worked on again, and a retry goes on from that end, not from what its sender believed. The records of an unconfirmed
batch wait in the order of the log, so nothing is decided on half the history.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from quire_processor.packing import PackedEvent, pack_event, pack_state, unpack_event, unpack_state
from quire_schemas.batch import evolve
from quire_schemas.events import BatchCreated, BatchRetryRequested, BatchStarted, Event
from quire_schemas.states import BatchState


@dataclass(slots=True)
class Entry:
    """A batch of an owned partition. `runs` has the ids of all runs that were started in this generation, accepted or not.

    `start` is the offset at which a later owner has to begin reading: that of the record that opened the batch. After a retry,
    `reopened` is the end before it; until that end is written to Postgres, `start` stays the offset of the earlier opening. The
    state of a queued batch is kept packed, as a million files may wait.
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
        """The batch's state; None while the batch is unconfirmed. A queued batch gives a new, equal object each time."""
        return unpack_state(self._kept) if isinstance(self._kept, bytes) else self._kept

    @state.setter
    def state(self, state: BatchState | None) -> None:
        self._kept = pack_state(state) if state is not None and state.status == "queued" else state


@dataclass(slots=True)
class PartitionView:
    """A partition that is folded up to `position`. A live one has reached the high watermark of its assignment."""

    position: int
    high_watermark: int
    batches: dict[str, Entry] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return self.position >= self.high_watermark


class Ownership:
    """The folded batches of our partitions. A partition is added by `begin` and removed by `retain`."""

    def __init__(self) -> None:
        self._views: dict[int, PartitionView] = {}
        self._where: dict[str, PartitionView] = {}
        self._unconfirmed: set[str] = set()

    def retain(self, partitions: frozenset[int]) -> tuple[str, ...]:
        """Forgets every partition but these. Returns the ids of the batches of the forgotten partitions."""
        lost = [batch_id for number, view in self._views.items() if number not in partitions for batch_id in view.batches]
        self._views = {number: view for number, view in self._views.items() if number in partitions}
        for batch_id in lost:
            self._forget(batch_id)
        return tuple(lost)

    def begin(self, partition: int, position: int) -> None:
        """Starts to fold a partition that is new to us."""
        self._views[partition] = PartitionView(position, position)

    def catch_up(self, high_watermarks: Mapping[int, int]) -> None:
        """Sets new high watermarks: a partition is live only once it is folded up to its own.

        Other processors may have written while a partition was not ours.
        """
        for number, high_watermark in high_watermarks.items():
            self._views[number].high_watermark = high_watermark

    def position(self, partition: int) -> int | None:
        """Returns the next offset to fold; None where the partition is new."""
        view = self._views.get(partition)
        return None if view is None else view.position

    def live(self, partition: int) -> bool:
        view = self._views.get(partition)
        return view is not None and view.live

    def fold(self, partition: int, offset: int, event: Event | None) -> str | None:
        """Folds one record. Returns the batch's id where its state has changed.

        `event` is None for a record that is not our event.
        """
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
        """Returns the ids of the batches that are unconfirmed: whether and how they ended before has to be looked up."""
        return tuple(self._unconfirmed)

    def confirm(self, remembered: Mapping[str, BatchState | None]) -> tuple[str, ...]:
        """Folds the waiting records of these batches onto their remembered ends. Returns the ids of the batches that go on.

        `remembered` has None for a batch that has never ended. A batch whose records change nothing is dropped.
        """
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
        """Returns the ids of the confirmed batches of a partition."""
        view = self._views.get(partition)
        return iter(()) if view is None else (key for key, entry in view.batches.items() if entry.waiting is None)

    def remembered(self, ended: BatchState) -> None:
        """Takes in that this end of a batch is written to Postgres: the records that led to it need not be read again.

        Where nothing has followed the end, the batch is forgotten here.
        """
        entry = self.entry(ended.batch_id)
        if entry is None or (state := entry.state) is None:
            return
        if state is ended:
            self.drop(ended.batch_id)
        elif entry.reopened is ended:
            entry.start, entry.reopened = state.start_offset, None

    def drop(self, batch_id: str) -> None:
        """Forgets a batch that has ended and whose end is written to Postgres."""
        view = self._where.get(batch_id)
        if view is not None:
            del view.batches[batch_id]
            self._forget(batch_id)

    def marks(self) -> dict[int, int]:
        """Returns the offset that may be committed for each live partition.

        This offset is the lowest `start` of the batches that are not forgotten; without such batches, the position.
        """
        return {
            number: min((entry.start for entry in view.batches.values()), default=view.position)
            for number, view in self._views.items()
            if view.live
        }

    def _await_confirmation(self, view: PartitionView, partition: int, offset: int, event: Event) -> None:
        view.batches[event.batch_id] = Entry(partition, offset, [(offset, pack_event(event))])
        self._where[event.batch_id] = view
        self._unconfirmed.add(event.batch_id)

    def _forget(self, batch_id: str) -> None:
        self._where.pop(batch_id, None)
        self._unconfirmed.discard(batch_id)


def _outdated(ended: BatchState | None, first: Event) -> bool:
    """Returns whether a retry describes a later end than the remembered one: then the retry's description is used."""
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
