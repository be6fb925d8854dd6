"""Follows the end of a collection's feed. New messages are read once, encoded once for each encoding, and written to every live
subscriber.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from quire_notifier import metrics
from quire_notifier.projecting.epochs import passes
from quire_notifier.pushing.feed import Feed, Head
from quire_notifier.pushing.groups import Encoding, Group, Ring, groups_of
from quire_notifier.pushing.pushes import Pushes
from quire_runtime.clock import seconds_since
from quire_runtime.retry import retrying
from quire_runtime.signals import never_silent

T = TypeVar("T")

GROUP_SECONDS = 0.02
"""Seconds between two writes. The first message is written at once, and those that follow within this time together
(docs/performance.md has the measured saving).
"""
READ_AT_ONCE = 1_000
GROUP_BYTES = 128 * 1024
"""Bytes of a group at most. A burst is written in groups of this size with pauses between them, so that healthy clients can
keep up.
"""
WRITE_AT_ONCE = 256
"""Subscribers written to before other tasks of the event loop have their turn."""


class Subscriber(Protocol):
    """A live subscriber: it has had every message up to the tail's last seq."""

    encoding: Encoding

    def live(self, data: bytes, now: float) -> None:
        """Writes the next whole encoded messages. Must neither block nor raise. `now` is the loop's time."""

    def lost(self) -> None:
        """Called when the tail moves to another place of the feed, such as another epoch. The subscriber must start over with a
        snapshot.
        """


class Tail:
    """The tail of one collection that has subscribers. `epoch` and `last_seq` say up to where live subscribers have had
    messages.
    """

    def __init__(self, collection_id: str, feed: Feed) -> None:
        self.collection_id = collection_id
        self.epoch = ""
        self.last_seq = 0
        self.ring = Ring()
        self.opened = asyncio.Event()
        self._feed = feed
        self._live: dict[Subscriber, None] = {}
        self._wake = asyncio.Event()
        self._lookers: list[asyncio.Future[None]] = []
        self._pushes = Pushes()

    @never_silent
    async def run(self) -> None:
        """Reads and writes new messages until cancelled. Waits while Postgres is away."""
        self._start(await _patiently(lambda: self._feed.head(self.collection_id)))
        self.opened.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            began = asyncio.get_running_loop().time()
            lookers, self._lookers = self._lookers, []
            full = await _patiently(self._advance)
            for looker in lookers:
                if not looker.cancelled():
                    looker.set_result(None)
            if full:
                self._wake.set()
            else:
                await asyncio.sleep(max(0.0, began + GROUP_SECONDS - asyncio.get_running_loop().time()))

    def heard(self, epoch: str, last_seq: int, traces: Sequence[str] = ()) -> None:
        """Called when the feed is said to end at `last_seq` of `epoch`. `traces` are the traceparents of the spans that
        appended the messages.
        """
        if traces:
            self._pushes.begin(self.collection_id, last_seq, traces)
            self._pushes.written(self.last_seq, len(self._live))  # the messages may have been read already
        if epoch != self.epoch or last_seq > self.last_seq:
            self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def look(self) -> None:
        """Returns after the feed has been read again."""
        looker = asyncio.get_running_loop().create_future()
        self._lookers.append(looker)
        self._wake.set()
        await looker

    def join(self, subscriber: Subscriber) -> None:
        """Makes a subscriber live. Must be called when it has had every message up to `last_seq` of `epoch`, with no await in
        between.
        """
        self._live[subscriber] = None

    def leave(self, subscriber: Subscriber) -> None:
        """Removes a subscriber. Does nothing when it is not live."""
        self._live.pop(subscriber, None)

    async def _advance(self) -> bool:
        """Reads new messages and writes them to every live subscriber. Returns whether there may be more."""
        stretch = await self._feed.read(self.collection_id, self.last_seq, READ_AT_ONCE, kind="tail")
        if stretch.epoch != self.epoch or (stretch.messages and stretch.messages[0].seq != self.last_seq + 1):
            self._start(await self._feed.head(self.collection_id))
            return False
        for number, group in enumerate(groups_of(stretch.messages, GROUP_BYTES)):
            if number:
                await asyncio.sleep(GROUP_SECONDS)
            await self._write(group)
        return len(stretch.messages) == READ_AT_ONCE

    def _start(self, head: Head) -> None:
        self.epoch, self.last_seq = head.epoch, head.last_seq
        self.ring.clear()
        self._pushes.clear()
        live, self._live = self._live, {}
        for subscriber in live:
            subscriber.lost()

    async def _write(self, group: Group) -> None:
        self.last_seq = group.last  # before the first write: a subscriber that joins meanwhile has had this group from the ring
        self.ring.append(group)
        joined: dict[Encoding, bytes] = {}
        subscribers = list(self._live)
        metrics.DELIVERIES.inc(len(group) * len(subscribers))
        now = asyncio.get_running_loop().time()
        for number, subscriber in enumerate(subscribers, 1):
            encoding = subscriber.encoding
            data = joined.get(encoding)
            if data is None:
                data = joined[encoding] = b"".join(group.encoded(encoding))
            if subscriber in self._live:
                subscriber.live(data, now)
            if number % WRITE_AT_ONCE == 0:
                await asyncio.sleep(0)
                now = asyncio.get_running_loop().time()
        self._pushes.written(group.last, len(subscribers))
        if subscribers:
            metrics.PUSH_SECONDS.observe(seconds_since(group.since))


async def _patiently(fn: Callable[[], Awaitable[T]]) -> T:
    return await retrying(fn, transient=passes, give_up_after=None)
