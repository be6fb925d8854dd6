"""A part of the processor that ends from inside ends the processor, so that it is started again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest
from tests.fakes.log import Member
from tests.processor.model.world import Files, World
from tests.virtual import VirtualLoop, run

from quire_processor.closing import Closing
from quire_processor.membership import Membership
from quire_processor.pipeline import Job, Watcher
from quire_processor.processor import Processor
from quire_runtime.signals import PartEnded
from quire_schemas.events import Event, FileFailed, FileProcessed
from quire_schemas.states import BatchState

PARTS = [(Member, "run"), (Closing, "run"), (Membership, "committing"), (Processor, "_confirming"), (Processor, "_dispatching")]


async def returns(_: object) -> None: ...


async def is_cancelled_from_inside(_: object) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("how", [returns, is_cancelled_from_inside])
@pytest.mark.parametrize(("part", "name"), PARTS, ids=[f"{part.__name__}.{name}" for part, name in PARTS])
def test_a_part_that_ends_from_inside_ends_the_processor(
    part: Any, name: str, how: Callable[[object], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, name, how)
    world = World(VirtualLoop(), seed=0)
    ended = run(world.loop, how_it_ends(world))
    assert isinstance(ended, ExceptionGroup)
    assert ended.subgroup(PartEnded) is not None


async def how_it_ends(world: World) -> BaseException | None:
    world.join()
    [node] = world.nodes.values()
    done, _ = await asyncio.wait([node.task], timeout=60.0)
    return node.task.exception() if done else None


@pytest.mark.parametrize("at", range(8))
def test_a_run_whose_call_is_cancelled_from_inside_is_begun_anew(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As aiokafka cancels what its producer waits for: the batch ends all the same."""
    publish, calls = Member.publish, count()

    async def cancelled_once(member: Member, event: Event) -> tuple[int, int]:
        if next(calls) == at:
            raise asyncio.CancelledError
        return await publish(member, event)

    monkeypatch.setattr(Member, "publish", cancelled_once)
    world = World(VirtualLoop(), seed=0)
    assert run(world.loop, ended(world)).status == "completed"
    assert next(calls) > at


@pytest.mark.parametrize("at", range(3))
def test_so_is_one_with_a_file_that_is(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    process, calls = Files.process, count()

    async def cancelled_once(files: Files, job: Job, watcher: Watcher) -> FileProcessed | FileFailed:
        if next(calls) == at:
            raise asyncio.CancelledError
        return await process(files, job, watcher)

    monkeypatch.setattr(Files, "process", cancelled_once)
    world = World(VirtualLoop(), seed=0)
    assert run(world.loop, ended(world)).status == "completed"


async def ended(world: World) -> BatchState:
    world.join()
    batch_id = world.submit(3, "isolate")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(300.0):
            while not world.state(batch_id).terminal:
                await asyncio.sleep(1.0)
    for name in list(world.nodes):
        await world.kill(name)
    return world.state(batch_id)
