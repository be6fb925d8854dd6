"""A subscription is a cursor over a contiguous sequence of messages. It begins, catches up, and is then live (docs/design.md,
"Row to socket").
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from quire_notifier import metrics
from quire_notifier.projecting.epochs import passes
from quire_notifier.pushing.groups import Encoding
from quire_notifier.pushing.history import Lost
from quire_notifier.pushing.hub import Hub
from quire_notifier.pushing.snapshots import SnapshotMessages
from quire_notifier.pushing.tail import Tail
from quire_runtime.retry import retrying
from quire_schemas.messages import ServerMessage, Subscribed

T = TypeVar("T")


class Tasks(Protocol):
    """The owner of a connection's tasks, such as an asyncio.TaskGroup."""

    def create_task(self, coro: Coroutine[Any, Any, None], /) -> "asyncio.Task[None]": ...


class TooSlow(Exception):
    """The client reads too slowly; its connection is being closed."""


class Outlet(Protocol):
    """A client's connection, to which a subscription writes."""

    def encoding(self, epoch: str, collection_id: str) -> Encoding:
        """Returns the function that encodes a message. Connections with the same encoding must return the same function,
        because encoded messages are shared by this function.
        """

    def say(self, message: ServerMessage) -> None:
        """Writes one message to this client alone, now."""

    def live(self, data: bytes, now: float) -> None:
        """Writes whole encoded messages now, or closes the connection of a client that is too far behind. `now` is the loop's
        time.
        """

    async def paced(self, frames: list[bytes]) -> None:
        """Writes whole encoded messages as fast as the client reads them. Raises TooSlow."""

    async def snapshot(self, snapshot: SnapshotMessages) -> None:
        """Writes a snapshot, as fast as the client reads it. The snapshot replaces everything that the client knew before.
        Raises TooSlow.
        """


class Subscription:
    """One collection on one connection. While catching up, the client has every message of `_epoch` up to `_seq`; once live, it
    has every message up to the tail's last seq.
    """

    encoding: Encoding

    def __init__(self, hub: Hub, wire: Outlet, collection_id: str, tasks: Tasks) -> None:
        """`tasks` owns the tasks of the connection."""
        self._hub = hub
        self._wire = wire
        self._collection_id = collection_id
        self._tasks = tasks
        self._tail: Tail | None = None
        self._task: asyncio.Task[None] | None = None
        self.live = wire.live  # the tail calls it a million times, so without a function in between
        self._seq = 0
        self._epoch = ""
        self.encoding = wire.encoding("", collection_id)

    def start(self, after: int | None, epoch: str | None) -> None:
        self._task = self._tasks.create_task(self._follow(after, epoch))

    def stop(self) -> None:
        """Ends the subscription: it writes nothing more."""
        if self._task is not None:
            self._task.cancel()
        if self._tail is not None:
            self._tail.leave(self)
            self._hub.release(self._tail)
            self._tail = None

    # Called by the tail of a live subscriber.

    def lost(self) -> None:
        starting_over = self._start_over("switch")
        try:
            self._task = self._tasks.create_task(starting_over)
        except RuntimeError:  # the connection is just ending; other subscribers must start over all the same
            starting_over.close()

    # From the beginning until live.

    async def _follow(self, after: int | None, epoch: str | None) -> None:
        self._tail = await self._hub.tail(self._collection_id)
        if after is None:
            await self._start_over("subscribe")
        elif await self._resume(after, epoch):
            await self._go_on()
        else:
            await self._start_over("lost")

    async def _start_over(self, reason: str) -> None:
        try:
            await self._snapshot(reason)
        except TooSlow:
            return
        await self._go_on()

    async def _go_on(self) -> None:
        """Catches up until the subscription is live. Begins again with a snapshot when the place is lost."""
        try:
            while not await self._catch_up():
                await self._snapshot("lost")
        except TooSlow:
            return

    async def _resume(self, after: int, epoch: str | None) -> bool:
        """Returns whether the client can go on after its last message, and tells the client if it can."""
        head = await self._patiently(lambda: self._hub.head(self._collection_id))
        if epoch not in {None, head.epoch} or not head.pruned_to <= after <= head.last_seq:
            return False
        self._at(head.epoch, after)
        self._wire.say(Subscribed(collection_id=self._collection_id, epoch=head.epoch, seq=after, recovered=True))
        return True

    async def _snapshot(self, reason: str) -> None:
        snapshot = await self._patiently(lambda: self._hub.snapshot(self._collection_id))
        metrics.SNAPSHOTS.labels(reason).inc()
        self._at(snapshot.head.epoch, snapshot.head.last_seq)
        await self._wire.snapshot(snapshot)

    async def _catch_up(self) -> bool:
        """Returns True when the subscription is live, False when its place is lost."""
        tail = self._tail
        assert tail is not None  # noqa: S101 -- set before
        while True:
            if (tail.epoch, tail.last_seq) == (self._epoch, self._seq):
                tail.join(self)
                return True
            if tail.epoch != self._epoch or tail.last_seq < self._seq:
                await tail.look()  # the tail may not have read yet what we have read
                if tail.epoch != self._epoch:
                    return False
                continue
            try:
                await self._replay(tail)
            except Lost:
                return False

    async def _replay(self, tail: Tail) -> None:
        """Writes the next group of messages that the client has not had. Raises Lost, TooSlow."""
        wanted = self._seq + 1
        group = tail.ring.holding(wanted)
        if group is None:
            group = await self._patiently(lambda: self._hub.history.holding(self._epoch, self._collection_id, wanted))
        frames = group.after(self._seq, self.encoding)
        await self._wire.paced(frames)
        metrics.REPLAYED.inc(len(frames))
        self._seq = group.last

    def _at(self, epoch: str, seq: int) -> None:
        self._epoch, self._seq = epoch, seq
        self.encoding = self._wire.encoding(epoch, self._collection_id)

    async def _patiently(self, fn: Callable[[], Awaitable[T]]) -> T:
        return await retrying(fn, transient=passes, give_up_after=None)
