"""What all connections of this notifier share: tails, history, snapshots, and the listener for
notifications of new messages.
"""

import asyncio
from typing import Any

import asyncpg
import msgspec

from quire_notifier import metrics
from quire_notifier.projecting.epochs import passes
from quire_notifier.projecting.tables import CHANNEL, Heads
from quire_notifier.pushing.cursors import Onward
from quire_notifier.pushing.feed import Feed, Head
from quire_notifier.pushing.history import History
from quire_notifier.pushing.shared import Shared
from quire_notifier.pushing.snapshots import SnapshotMessages, read_snapshot
from quire_notifier.pushing.tail import Tail
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient
from quire_runtime.retry import retrying
from quire_runtime.signals import until

log = get_logger(__name__)

POLL_SECONDS = 1.0
"""Seconds by which a message is late at most when its notification is lost."""

_decode_heads = msgspec.json.Decoder(Heads).decode


class Hub:
    """Owns the tail and the last snapshot of each collection that has subscribers. `run` must run as long as there are
    connections.
    """

    def __init__(self, feed: Feed, dsn: str) -> None:
        """`dsn` is the address of the database for the connection that listens."""
        self._feed = feed
        self._dsn = dsn
        self._tails: dict[str, Tail] = {}
        self._snapshots: dict[str, SnapshotMessages] = {}  # the last snapshot of each collection that has a tail
        self._users: dict[str, int] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup
        self._shared: Shared
        self.history: History
        metrics.SUBSCRIPTIONS.set_function(lambda: sum(self._users.values()))

    async def run(self, stop: asyncio.Event) -> None:
        """Listens and polls for new messages until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._shared = Shared(tasks)
            self.history = History(self._feed, self._shared)
            ears = [tasks.create_task(self._listen()), tasks.create_task(self._poll())]
            await until(stop, *ears)
            for task in (*ears, *self._running.values()):
                task.cancel()

    async def tail(self, collection_id: str) -> Tail:
        """Returns the collection's tail once it is open. The caller must give it back with `release`."""
        self._users[collection_id] = self._users.get(collection_id, 0) + 1
        tail = self._tails.get(collection_id)
        if tail is None:
            tail = self._tails[collection_id] = Tail(collection_id, self._feed)
            self._running[collection_id] = self._tasks.create_task(tail.run())
        try:
            await tail.opened.wait()
        except asyncio.CancelledError:
            self.release(tail)
            raise
        return tail

    def release(self, tail: Tail) -> None:
        name = tail.collection_id
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name], self._tails[name]
            self._snapshots.pop(name, None)
            self._running.pop(name).cancel()

    async def head(self, collection_id: str) -> Head:
        head: Head = await self._shared.ask(("head", collection_id), lambda: self._feed.head(collection_id))
        return head

    async def snapshot(self, collection_id: str) -> SnapshotMessages:
        """Returns the collection's last snapshot, or reads a new one when too many messages follow the last one."""
        head = await self.head(collection_id)
        kept = self._snapshots.get(collection_id)
        if kept is None or not kept.leads_to(head):
            kept = await self._read(self._feed, collection_id, None)
            if collection_id in self._tails:
                self._snapshots[collection_id] = kept
        return kept

    async def more(self, feed: Feed, collection_id: str, after: Onward) -> SnapshotMessages:
        """Reads the active batches after the place `after`. They are read from `feed`, so that these queries keep no subscriber
        waiting. `after` names the seq from which the client follows, and the batches are not older than that seq.
        """
        return await self._read(feed, collection_id, after)

    async def _read(self, feed: Feed, collection_id: str, after: Onward | None) -> SnapshotMessages:
        """Reads a snapshot. Equal reads at the same time share one query."""
        messages: SnapshotMessages = await self._shared.ask(
            ("snapshot", collection_id, after), lambda: read_snapshot(feed, collection_id, after)
        )
        return messages

    async def _listen(self) -> None:
        while True:
            await retrying(self._hear, transient=is_transient, give_up_after=None)

    async def _hear(self) -> None:
        """Listens on one connection until it is lost."""
        connection = await asyncpg.connect(self._dsn, timeout=10, server_settings={"application_name": "quire-notifier-feed"})
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._wake_all()  # for notifications that were sent while nobody listened
            await ended.wait()
            log.warning("the connection that listens to the feed was lost")
        finally:
            if not connection.is_closed():
                await connection.close(timeout=2)

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        if not payload:
            self._wake_all()
            return
        heads = _decode_heads(str(payload))
        for name, last_seq in heads.last_seqs.items():
            tail = self._tails.get(name)
            if tail is not None:
                tail.heard(heads.epoch, last_seq, heads.traces.get(name, ()))

    def _wake_all(self) -> None:
        for tail in self._tails.values():
            tail.wake()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._tails:
                continue
            try:
                epoch, last_seqs = await self._feed.heads(self._tails)
            except Exception as error:
                if not passes(error):
                    raise
                continue
            for name, tail in self._tails.items():
                tail.heard(epoch, last_seqs.get(name, 0))
