"""Two notifiers' hubs over one feed in memory, in virtual time; and clients that write down what they are told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, Raw

from quire_notifier.pushing.cursors import Onward
from quire_notifier.pushing.feed import Active, Head, Message, Stretch
from quire_notifier.pushing.groups import Encoding
from quire_notifier.pushing.hub import Hub
from quire_notifier.pushing.snapshots import SnapshotMessages
from quire_notifier.pushing.subscription import Subscription, TooSlow
from quire_schemas.messages import ServerMessage, Subscribed

NAME = "c"
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def line(text: bytes) -> bytes:
    return text + b"\n"


class MemoryFeed:
    """As `quire_notifier.pushing.feed.Feed`: each answer is of one moment, and comes late."""

    def __init__(self, chance: random.Random) -> None:
        self.epoch = 0
        self.texts: list[bytes] = []
        self.pruned_to = 0
        self.away = False
        self._chance = chance

    @property
    def last_seq(self) -> int:
        return len(self.texts)

    def append(self, count: int) -> None:
        for _ in range(count):
            self.texts.append(b"%d:%d" % (self.epoch, len(self.texts) + 1))

    def rebuild(self, count: int) -> None:
        self.epoch, self.texts, self.pruned_to = self.epoch + 1, [], 0
        self.append(count)

    def prune(self, share: float) -> None:
        self.pruned_to = max(self.pruned_to, int(self.last_seq * share))

    async def head(self, _name: str) -> Head:
        await self._before()
        head = Head(str(self.epoch), self.last_seq, self.pruned_to)
        await self._after()
        return head

    async def heads(self, names: Collection[str]) -> tuple[str, dict[str, int]]:
        head = await self.head(NAME)
        return head.epoch, dict.fromkeys(names, head.last_seq)

    async def read(self, _name: str, after: int, limit: int, *, kind: str) -> Stretch:
        await self._before()
        first = max(after, self.pruned_to)
        some = [Message(first + n + 1, text, NOW) for n, text in enumerate(self.texts[first : first + limit])]
        stretch = Stretch(str(self.epoch), some)
        await self._after()
        return stretch

    async def active(self, name: str, _after: Onward | None, _limit: int) -> Active:
        return Active(await self.head(name), 0, [])

    async def _before(self) -> None:
        await asyncio.sleep(self._chance.choice((0.0, 0.001, 0.03)))
        if self.away:
            raise OSError("away")

    async def _after(self) -> None:
        await asyncio.sleep(self._chance.choice((0.0, 0.001, 0.03)))
        if self.away:
            raise OSError("away")


class DeafHub(Hub):
    """It hears what it is told by `notify`, and asks the feed once a second, as the real one."""

    async def _hear(self) -> None:
        await asyncio.Event().wait()

    def notify(self, feed: MemoryFeed) -> None:
        payload = msgspec.json.encode({"epoch": str(feed.epoch), "last_seqs": {NAME: feed.last_seq}})
        self._heard(None, 0, "", payload.decode())


@dataclass
class Client:
    """What it has had: the place after the last item, and everything in order."""

    chance: random.Random
    epoch: str | None = None
    seq: int | None = None
    heard: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    subscription: Subscription | None = None
    connection: int = 0


class Outlet:
    """One connection of a client; after the next one has begun, nothing that is written here reaches it."""

    def __init__(self, client: Client) -> None:
        client.connection += 1
        self._client, self._number = client, client.connection

    def encoding(self, _epoch: str, _collection_id: str) -> Encoding:
        return line

    def say(self, message: ServerMessage) -> None:
        if not self._open() or not isinstance(message, Subscribed):
            return
        client = self._client
        assert message.snapshot is UNSET
        if not message.recovered or message.seq != client.seq or message.epoch != (client.epoch or message.epoch):
            client.wrong.append(f"recovered at {message.epoch}:{message.seq}, was at {client.epoch}:{client.seq}")
        client.epoch = message.epoch

    def live(self, data: bytes, _now: float) -> None:
        if self._open():
            for text in data.decode().splitlines():
                self._take(text)

    async def paced(self, frames: list[bytes]) -> None:
        for frame in frames:
            await asyncio.sleep(self._client.chance.choice((0.0, 0.0, 0.05)))
            if not self._open():
                raise TooSlow
            self.live(frame, 0.0)

    async def snapshot(self, snapshot: SnapshotMessages) -> None:
        assert all(isinstance(msgspec.json.decode(text, type=Raw), Raw) for text in snapshot.texts)
        await asyncio.sleep(self._client.chance.choice((0.0, 0.05)))
        if not self._open():
            raise TooSlow
        self._client.epoch, self._client.seq = snapshot.head.epoch, snapshot.head.last_seq

    def _open(self) -> bool:
        return self._client.connection == self._number

    def _take(self, text: str) -> None:
        client = self._client
        epoch, _, seq = text.partition(":")
        if epoch != client.epoch or client.seq is None or int(seq) != client.seq + 1:
            client.wrong.append(f"{text} after {client.epoch}:{client.seq}")
        client.epoch, client.seq = epoch, int(seq)
        client.heard.append(text)


class World:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose
        self.feed = MemoryFeed(self.chance)
        self.hubs = [DeafHub(self.feed, "") for _ in range(2)]  # type: ignore[arg-type]
        self.clients: list[Client] = []

    def connect(self, client: Client, tasks: asyncio.TaskGroup, *, forgets_epoch: bool = False) -> None:
        """To one of the notifiers, from where the client is."""
        self.disconnect(client)
        hub = self.chance.choice(self.hubs)
        client.subscription = Subscription(hub, Outlet(client), NAME, tasks)
        if forgets_epoch:
            client.seq = client.epoch = None
        client.subscription.start(client.seq, client.epoch)

    def disconnect(self, client: Client) -> None:
        if client.subscription is not None:
            client.subscription.stop()
            client.subscription = None
            client.connection += 1
