"""Counts the time of workers that each collection has had, and gives a free worker to the collection that is next
(docs/design.md, "Whose turn it is").

A collection is charged for the seconds that a worker works for it, while they pass: a collection whose files take long yields
to others, however few files it has.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quire_runtime.clock import Clock

_FIRST_GUESS = 0.05  # seconds that a file is expected to take, as long as no file of its collection is done


@dataclass(slots=True)
class _Share:
    """The time of workers that one collection has had, in seconds.

    `before` is the time of files that are done, and what a new collection begins with. `since` is the sum of the times at which
    the running files began.
    """

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
    """The time of workers that each collection has had, in seconds.

    A new collection begins level with the collection that has had the least: time that it did not use before gives it no claim.
    What a collection has used is forgotten once it has nothing left to do.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shares: dict[str, _Share] = {}

    def enter(self, collection_id: str) -> None:
        """Takes in that the collection has something to do now."""
        if collection_id not in self._shares:
            now = self._clock.monotonic()
            self._shares[collection_id] = _Share(min((share.used(now) for share in self._shares.values()), default=0.0))

    def leave(self, collection_id: str) -> None:
        """Takes in that the collection has nothing left to do."""
        if (share := self._shares.get(collection_id)) is not None and not share.running:
            del self._shares[collection_id]

    def expected(self, collection_id: str, in_flight: int) -> float:
        """Returns the seconds that the collection has had, plus those expected for `in_flight` files, on their way to a worker
        or past it.
        """
        share = self._shares[collection_id]
        return share.used(self._clock.monotonic()) + in_flight * share.of_a_file

    def far_behind(self, collection_id: str, in_flight: int) -> bool:
        """Returns whether every other collection has had more than this one will have had with its files in flight.

        False as long as it is not known how long a file of the collection takes.
        """
        others = (self.used(other) for other in self._shares if other != collection_id)
        return self._shares[collection_id].done > 0 and self.expected(collection_id, in_flight) < min(others, default=0.0)

    def used(self, collection_id: str) -> float:
        return self._shares[collection_id].used(self._clock.monotonic())

    @asynccontextmanager
    async def charged(self, collection_id: str) -> AsyncIterator[None]:
        """A context in which a worker works for the collection, which is charged for the time."""
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
    """Places at the workers. A free place goes to the collection that has had the least, not to the file that came first."""

    def __init__(self, workers: int, shares: Shares) -> None:
        self._free = workers
        self._shares = shares
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def of(self, collection_id: str) -> AsyncIterator[None]:
        """A context with a place at a worker; the collection is charged for the time of the block."""
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
            else:  # the place was handed out in the moment of the cancellation
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
