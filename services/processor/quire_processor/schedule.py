"""Decides which file is worked on next (docs/design.md, "Whose turn it is"). Pure.

The turn goes to the collection that has had the least time of the workers. Within a collection, batches go in the order in which
they were created, and files of open batches go before another batch is opened: so batches end one after the other, and few are
open. An open batch gives way to a collection that has no open batch and has had far less time of the workers. A file that a
processor may have died of is worked on alone: the files in flight end before it begins, and no other file begins before it is
done.
"""

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from quire_processor.shares import Shares

_FAR_AHEAD = 15.0  # seconds of a worker; with less, batches would be started anew so often that their events cost too much


class Open(NamedTuple):
    """A turn to start a batch, so that its files can be worked on."""

    batch_id: str


class Work(NamedTuple):
    """A turn to work on a file. `Schedule.done` has to be called once the file needs neither disk nor worker any more.

    With `alone`, there are no other turns until then.
    """

    batch_id: str
    file_id: str
    alone: bool = False


class QueuePlace(NamedTuple):
    """The place of a batch in the order of its collection."""

    created_at: datetime
    request_id: str
    batch_id: str


@dataclass(slots=True)
class _Waiting:
    """A batch that the schedule knows. `files` is None until the batch is started.

    `starting` is True while the batch is being started, or while it gives way.
    """

    collection_id: str
    place: QueuePlace
    starting: bool = False
    files: deque[str] | None = None
    alone: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Collection:
    """A collection. `unopened` and `opened` have its batches in their order; `in_flight` counts its files in work."""

    unopened: list[QueuePlace] = field(default_factory=list)
    opened: list[QueuePlace] = field(default_factory=list)
    in_flight: int = 0

    @property
    def idle(self) -> bool:
        return not (self.unopened or self.opened or self.in_flight)


class Schedule:
    """Decides whose turn it is. Each turn is handed out once, by `next`.

    `places` bounds the files in flight. Beyond it, a collection that has no file in flight gets one, and a collection that has
    had far less time of the workers gets several; these are at most `places` again. So no collection waits until all earlier
    files are done, and a free worker finds a file of the collection that is next.
    """

    def __init__(self, places: int, shares: Shares) -> None:
        self._places = places
        self._shares = shares
        self._collections: dict[str, _Collection] = {}
        self._batches: dict[str, _Waiting] = {}
        self._giving_way: set[str] = set()
        self._in_flight = 0
        self._alone = False

    def __len__(self) -> int:
        return len(self._batches)

    def offer(self, batch_id: str, collection_id: str, request_id: str, created_at: datetime) -> None:
        """Takes in a batch that needs a run. A batch that is known already keeps its place."""
        if batch_id in self._batches:
            return
        place = QueuePlace(created_at, request_id, batch_id)
        self._batches[batch_id] = _Waiting(collection_id, place)
        insort(self._collection(collection_id).unopened, place)

    def ready(self, batch_id: str, files: tuple[str, ...], alone: frozenset[str] = frozenset()) -> None:
        """Takes in that the batch is started: these files may be worked on, in this order, and those of `alone` each alone."""
        waiting = self._batches.get(batch_id)
        if waiting is None:
            return
        if waiting.files is None:
            collection = self._collection(waiting.collection_id)
            collection.unopened.remove(waiting.place)
            insort(collection.opened, waiting.place)
        waiting.files, waiting.alone = deque(files), alone
        waiting.starting = False
        self._drop_if_drained(waiting)

    def displace(self) -> str | None:
        """Chooses an open batch that has to give way, and returns its id; None where no batch has to.

        The batch gives way to a collection that has no open batch and is far behind; it is taken from the collection that has
        had the most time of the workers. The batch gets no more turns until `closed` tells that it is not open any more.
        """
        without = [key for key, one in self._collections.items() if not (one.opened or one.in_flight)]
        ahead = [key for key, one in self._collections.items() if one.opened]
        if len(without) <= len(self._giving_way) or not ahead:
            return None
        behind = sorted(without, key=self._shares.used)[len(self._giving_way)]
        most = max(ahead, key=self._shares.used)
        if self._shares.used(most) - self._shares.used(behind) < _FAR_AHEAD:
            return None
        waiting = self._batches[self._collections[most].opened[-1].batch_id]
        self._take_back(waiting)
        waiting.starting = True
        self._giving_way.add(waiting.place.batch_id)
        return waiting.place.batch_id

    def closed(self, batch_id: str) -> None:
        """Takes in that the batch is not open any more and has not ended: it is opened again in its turn."""
        self._giving_way.discard(batch_id)
        waiting = self._batches.get(batch_id)
        if waiting is None:
            return
        if waiting.files is not None:
            self._take_back(waiting)
        waiting.starting = False

    def withdraw(self, batch_id: str) -> None:
        """Forgets the batch."""
        self._giving_way.discard(batch_id)
        waiting = self._batches.pop(batch_id, None)
        if waiting is None:
            return
        collection = self._collections[waiting.collection_id]
        (collection.unopened if waiting.files is None else collection.opened).remove(waiting.place)
        self._drop_if_idle(waiting.collection_id)

    def done(self, collection_id: str) -> None:
        """Takes in that a file of the collection needs no place any more."""
        self._in_flight -= 1
        self._alone = False
        self._collections[collection_id].in_flight -= 1
        self._drop_if_idle(collection_id)

    def next(self, *, may_open: bool) -> Open | Work | None:
        """Takes the next turn and returns it; None where there is none now. `may_open` allows starting one more batch."""
        if self._alone:
            return None
        for collection_id in sorted(self._collections, key=self._expected):
            collection = self._collections[collection_id]
            if self._in_flight and self._wants_to_be_alone(collection):
                return None
            turn = self._turn(collection_id, may_open=may_open)
            if turn is not None:
                return turn
        return None

    def _turn(self, collection_id: str, *, may_open: bool) -> Open | Work | None:
        collection = self._collections[collection_id]
        if collection.opened and self._has_place(collection_id):
            return self._work(collection)
        if not may_open or self._left(collection) >= self._places:
            return None
        for place in collection.unopened:
            waiting = self._batches[place.batch_id]
            if not waiting.starting:
                waiting.starting = True
                return Open(place.batch_id)
        return None

    def _wants_to_be_alone(self, collection: _Collection) -> bool:
        if not collection.opened:
            return False
        waiting = self._batches[collection.opened[0].batch_id]
        return waiting.files is not None and waiting.files[0] in waiting.alone

    def _left(self, collection: _Collection) -> int:
        """Returns how many files of the collection's open batches wait for a place: when few do, the next batch is opened."""
        return sum(len(self._batches[place.batch_id].files or ()) for place in collection.opened)

    def _work(self, collection: _Collection) -> Work:
        waiting = self._batches[collection.opened[0].batch_id]
        assert waiting.files  # noqa: S101 -- batches without files left are dropped
        file_id = waiting.files.popleft()
        collection.in_flight += 1
        self._in_flight += 1
        self._alone = file_id in waiting.alone
        self._drop_if_drained(waiting)
        return Work(waiting.place.batch_id, file_id, self._alone)

    def _has_place(self, collection_id: str) -> bool:
        """Returns whether the collection may have one more file in flight."""
        if self._in_flight < self._places:
            return True
        in_flight = self._collections[collection_id].in_flight
        beyond = not in_flight or self._shares.far_behind(collection_id, in_flight)
        return beyond and self._in_flight < 2 * self._places

    def _expected(self, collection_id: str) -> float:
        return self._shares.expected(collection_id, self._collections[collection_id].in_flight)

    def _collection(self, collection_id: str) -> _Collection:
        self._shares.enter(collection_id)
        return self._collections.setdefault(collection_id, _Collection())

    def _take_back(self, waiting: _Waiting) -> None:
        collection = self._collections[waiting.collection_id]
        collection.opened.remove(waiting.place)
        insort(collection.unopened, waiting.place)
        waiting.files = None

    def _drop_if_drained(self, waiting: _Waiting) -> None:
        if not waiting.files:
            self.withdraw(waiting.place.batch_id)

    def _drop_if_idle(self, collection_id: str) -> None:
        if self._collections[collection_id].idle:
            del self._collections[collection_id]
            self._shares.leave(collection_id)
