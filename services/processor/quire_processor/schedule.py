"""Which file is worked on next (DESIGN §4). Pure.

Turns go round the collections, within a collection round the requests, and within a request to its oldest batch: a
drop of 5,000 files takes every other turn from somebody's 3 files, never all of them.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import NamedTuple


class Open(NamedTuple):
    """The batch has to be started before its files can be worked on."""

    batch_id: str


class Work(NamedTuple):
    """The file is next."""

    batch_id: str
    file_id: str


@dataclass(slots=True)
class _Waiting:
    """A batch in hand. `files` is None until it is started; `starting` while that is under way."""

    lane: tuple[str, str]
    starting: bool = False
    files: deque[str] | None = None


_Lane = OrderedDict[str, _Waiting]


class Schedule:
    """Whose turn it is. Pure; a turn is handed out once, by `next`."""

    def __init__(self) -> None:
        self._collections: OrderedDict[str, OrderedDict[str, _Lane]] = OrderedDict()
        self._batches: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._batches)

    def offer(self, batch_id: str, collection_id: str, request_id: str) -> None:
        """Take a batch in that needs a run; one that is in already keeps its place."""
        if batch_id in self._batches:
            return
        waiting = self._batches[batch_id] = _Waiting((collection_id, request_id))
        lanes = self._collections.setdefault(collection_id, OrderedDict())
        lanes.setdefault(request_id, OrderedDict())[batch_id] = waiting

    def ready(self, batch_id: str, files: tuple[str, ...]) -> None:
        """The batch is started: these files may be worked on."""
        if (waiting := self._batches.get(batch_id)) is not None:
            waiting.files = deque(files)
            waiting.starting = False
            self._drop_if_drained(batch_id)

    def withdraw(self, batch_id: str) -> None:
        """Forget the batch."""
        waiting = self._batches.pop(batch_id, None)
        if waiting is None:
            return
        collection_id, request_id = waiting.lane
        lanes = self._collections[collection_id]
        del lanes[request_id][batch_id]
        if not lanes[request_id]:
            del lanes[request_id]
        if not lanes:
            del self._collections[collection_id]

    def next(self, *, may_open: bool) -> Open | Work | None:
        """Take the next turn; None where nothing can be done now. `may_open` allows starting one more batch."""
        for collection_id, lanes in self._collections.items():
            for request_id, lane in lanes.items():
                turn = self._turn(lane, may_open=may_open)
                if turn is not None:
                    lanes.move_to_end(request_id)
                    self._collections.move_to_end(collection_id)
                    self._drop_if_drained(turn.batch_id)
                    return turn
        return None

    def _turn(self, lane: _Lane, *, may_open: bool) -> Open | Work | None:
        for batch_id, waiting in lane.items():
            if waiting.files:
                return Work(batch_id, waiting.files.popleft())
            if may_open and waiting.files is None and not waiting.starting:
                waiting.starting = True
                return Open(batch_id)
        return None

    def _drop_if_drained(self, batch_id: str) -> None:
        waiting = self._batches[batch_id]
        if waiting.files is not None and not waiting.files:
            self.withdraw(batch_id)
