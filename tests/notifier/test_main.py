"""A part of the notifier that ends from inside ends the notifier, so that it is started again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from tests.notifier.world import DeafHub, MemoryFeed

from quire_notifier.indexing.indexer import Indexer
from quire_notifier.main import Notifier
from quire_notifier.prepare import Pools
from quire_notifier.projecting.follower import Follower
from quire_notifier.projecting.pruning import Pruner
from quire_notifier.projecting.unfinished import Unfinished
from quire_notifier.pushing import hub as hubs
from quire_notifier.pushing.hub import Hub
from quire_notifier.settings import NotifierSettings
from quire_runtime.auth import Authenticator
from quire_runtime.http_server import HttpServer
from quire_runtime.ops import OpsServer
from quire_runtime.settings import AuthSettings, HttpSettings, KafkaSettings, PostgresSettings, S3Settings
from quire_runtime.signals import PartEnded
from quire_runtime.storage import ObjectStore

PARTS = (Hub, Follower, Pruner, Unfinished, Indexer)
Run = Callable[..., Awaitable[None]]


async def until_stopped(_part: object, stop: asyncio.Event) -> None:
    await stop.wait()


async def returns(*_: object) -> None: ...


async def is_cancelled_from_inside(*_: object) -> None:
    raise asyncio.CancelledError


@pytest.fixture
async def notifier(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Notifier]:
    """One whose parts do nothing until they are told to stop; its server serves."""
    for part in PARTS:
        monkeypatch.setattr(part, "run", until_stopped)
    s3, auth = S3Settings(), AuthSettings()
    settings = NotifierSettings(
        kafka=KafkaSettings(), postgres=PostgresSettings(dsn=""), s3=s3, auth=auth, http=HttpSettings(port=0), drain_seconds=0.0
    )
    pools = cast("Pools", type("Unused", (), dict.fromkeys(Pools._fields)))
    ops = OpsServer("127.0.0.1", 0)
    notifier = Notifier(settings, pools, ObjectStore(s3), Authenticator(auth), ops)
    yield notifier
    for server in (notifier._http, ops._server):  # bound already, and not run here
        server._socket.close()


@pytest.mark.parametrize("how", [returns, is_cancelled_from_inside])
@pytest.mark.parametrize("part", [*PARTS, HttpServer])
async def test_a_part_that_ends_from_inside_ends_the_notifier(part: Any, how: Run, notifier: Notifier, monkeypatch: Any) -> None:
    monkeypatch.setattr(part, "run", how)
    async with asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as caught:
            await notifier.run(asyncio.Event())
    assert caught.group_contains(PartEnded, depth=1)


async def test_parts_that_end_when_they_are_told_to_do_not(notifier: Notifier) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(10):
        await notifier.run(stop)


async def test_a_tail_that_ends_from_inside_ends_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its subscribers would be told nothing any more."""
    monkeypatch.setattr(MemoryFeed, "head", is_cancelled_from_inside)
    monkeypatch.setattr(hubs, "POLL_SECONDS", 3_600.0)  # which would find it, too
    hub = DeafHub(MemoryFeed(random.Random(0)), "")  # type: ignore[arg-type]  # noqa: S311 -- as the real one; repeatable

    async def subscribed() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hub.run(asyncio.Event()))
            await asyncio.sleep(0)
            await hub.tail("c")

    async with asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as caught:
            await subscribed()
    assert caught.group_contains(PartEnded)
