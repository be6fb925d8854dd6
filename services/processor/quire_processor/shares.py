"""How much of the workers each collection has had, and who is next at a free one (docs/design.md, "Whose turn it is").

A collection is charged for the seconds that a worker works for it, while they pass: one whose files take long yields to others,
however few they are.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quire_runtime.clock import Clock

_FIRST_GUESS = 0.05  # seconds of a file, as long as none of its collection is done


@dataclass(slots=True)
class _Share:
    """`before` are seconds of files that are done, or a newcomer's beginning; `since` adds up when the running ones began."""

    before: float
    done: int = 0
    seconds: float = 0.0
    running: int = 0
    since: float = 0.0

    def used(self, now: float) -> float:
        return self.before + self.running * now - self.since

    @property
    def of_a_file(self) -> float:
        return self.seconds / self.done if self.done else _FIRST_GUESS


class Shares:
    """Seconds of workers by collection. A collection that comes begins level with the one that has had the least: what it did
    not use before is no claim, and what it used is forgotten once it has nothing left to do.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shares: dict[str, _Share] = {}

    def enter(self, collection_id: str) -> None:
        """It has something to do now."""
        if collection_id not in self._shares:
            now = self._clock.monotonic()
            self._shares[collection_id] = _Share(min((share.used(now) for share in self._shares.values()), default=0.0))

    def leave(self, collection_id: str) -> None:
        """It has nothing left to do."""
        if (share := self._shares.get(collection_id)) is not None and not share.running:
            del self._shares[collection_id]

    def expected(self, collection_id: str, in_flight: int) -> float:
        """Seconds that it has had, and will have had with so many files that are on their way to a worker or past it."""
        share = self._shares[collection_id]
        return share.used(self._clock.monotonic()) + in_flight * share.of_a_file

    def far_behind(self, collection_id: str, in_flight: int) -> bool:
        """Whether each other collection has had more than this one will have had with so many files. False as long as it is not
        known how long a file of it takes.
        """
        others = (self.used(other) for other in self._shares if other != collection_id)
        return self._shares[collection_id].done > 0 and self.expected(collection_id, in_flight) < min(others, default=0.0)

    def used(self, collection_id: str) -> float:
        return self._shares[collection_id].used(self._clock.monotonic())

    @asynccontextmanager
    async def charged(self, collection_id: str) -> AsyncIterator[None]:
        """A worker works for it."""
        self.enter(collection_id)
        share, began = self._shares[collection_id], self._clock.monotonic()
        share.running += 1
        share.since += began
        try:
            yield
        finally:
            took = self._clock.monotonic() - began
            share.running -= 1
            share.since -= began
            share.before += took
            share.seconds += took
            share.done += 1


class Turns:
    """Places at the workers. A free one goes to the collection that has had the least, not to whoever came first."""

    def __init__(self, workers: int, shares: Shares) -> None:
        self._free = workers
        self._shares = shares
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def of(self, collection_id: str) -> AsyncIterator[None]:
        """A place, for as long as the block takes; charged to the collection."""
        await self._wait(collection_id)
        try:
            async with self._shares.charged(collection_id):
                yield
        finally:
            self._free += 1
            self._hand_out()

    async def _wait(self, collection_id: str) -> None:
        self._shares.enter(collection_id)
        if self._free:
            self._free -= 1
            return
        mine = collection_id, asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine[1]
        except asyncio.CancelledError:
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:  # it was handed out in the moment that we left
                self._free += 1
                self._hand_out()
            raise

    def _hand_out(self) -> None:
        while self._free and self._waiting:
            following = min(self._waiting, key=lambda waiting: self._shares.used(waiting[0]))
            self._waiting.remove(following)
            if not following[1].done():
                self._free -= 1
                following[1].set_result(None)
