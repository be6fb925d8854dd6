"""A connection that breaks takes nothing else with it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.notifier.world import DeafHub, MemoryFeed, line
from tests.virtual import VirtualLoop, run

from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.cursors import Onward
from quire_notifier.pushing.feed import Active
from quire_notifier.sockets.centrifuge import CentrifugeSession
from quire_notifier.sockets.session import Session
from quire_runtime.auth import EVERYBODY

SUBSCRIBE = '{"type":"SUBSCRIBE","collection_id":"%s"}'


class BreakingFeed(MemoryFeed):
    """The snapshot of the collection `bad` cannot be read, for a reason that waiting does not cure."""

    async def active(self, name: str, after: Onward | None, limit: int) -> Active:
        if name == "bad":
            raise ValueError("a state that nobody can read")
        return await super().active(name, after, limit)


class Wire:
    """A connection that takes everything."""

    ended = False

    def __init__(self) -> None:
        self.snapshots = 0

    def encoding(self, _epoch: str, _collection_id: str) -> Any:
        return line

    def say(self, message: Any) -> None: ...
    def live(self, data: bytes, now: float) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    async def drained(self) -> None: ...
    async def paced(self, frames: list[bytes]) -> None: ...

    async def snapshot(self, _snapshot: Any) -> None:
        self.snapshots += 1


class NoLimits:
    max_sockets_per_address = max_sockets_per_subject = 0


class Client:
    """`say` sends a message to the session."""

    def __init__(self, hub: DeafHub) -> None:
        self.wire = Wire()
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        wire: Any = self.wire
        nobody: Any = None
        session = Session(wire, hub, Admission(NoLimits()), nobody, authenticate_seconds=9, max_subscriptions=9)
        self.task = asyncio.create_task(session.run(self._inbox.get, EVERYBODY, []))

    def say(self, text: str) -> None:
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect"})


async def broken_in_the_middle() -> None:
    feed = BreakingFeed(random.Random(1))  # noqa: S311 -- repeatable on purpose
    hub, stop = DeafHub(feed, ""), asyncio.Event()  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hub.run(stop))
        await asyncio.sleep(0)
        healthy, broken = Client(hub), Client(hub)
        healthy.say(SUBSCRIBE % "good")
        broken.say(SUBSCRIBE % "good")
        await asyncio.sleep(1)
        broken.say(SUBSCRIBE % "bad")
        with pytest.raises(ExceptionGroup):
            await broken.task
        assert hub._users == {"good": 1}
        feed.rebuild(3)
        await asyncio.sleep(3)
        assert healthy.wire.snapshots == 2  # its first, and that of the new epoch
        healthy.leave()
        await healthy.task
        assert not hub._users
        stop.set()


def test_a_connection_that_breaks_leaves_nothing_behind_and_the_others_survive_a_rebuild() -> None:
    run(VirtualLoop(), broken_in_the_middle())


class Subjects(NoLimits):
    max_sockets_per_subject = 1


def test_a_connection_that_changes_its_subject_is_counted_where_it_is_now() -> None:
    admission, wire = Admission(Subjects()), Wire()
    anything: Any = wire
    session = CentrifugeSession(
        anything, anything, admission, anything, authenticate_seconds=9, ping_seconds=9, max_subscriptions=9
    )

    async def told() -> None:
        for subject in ("ada", "ada", "eve"):
            assert session._enter(replace(EVERYBODY, subject=subject, expires_at=datetime.now(UTC) + timedelta(hours=1)))
        assert admission.enter("ada")
        assert not admission.enter("eve")
        session._leave()
        assert admission.enter("eve")

    asyncio.run(told())
