import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import uvicorn

from quire_runtime.ops import OpsServer
from quire_runtime.signals import PartEnded, never_silent, until


async def returns() -> None: ...


async def is_cancelled_from_inside() -> None:
    raise asyncio.CancelledError


async def fails() -> None:
    raise ValueError("of its own")


async def goes_on() -> None:
    await asyncio.sleep(3_600)


@pytest.mark.parametrize(("part", "error"), [(returns, PartEnded), (is_cancelled_from_inside, PartEnded), (fails, ValueError)])
async def test_a_part_that_ends_by_itself_ends_the_service(part: Any, error: type[Exception]):
    with pytest.raises(ExceptionGroup) as caught:
        await service(asyncio.Event(), part())
    assert caught.group_contains(error)


async def test_a_part_that_ends_at_a_stop_does_not():
    stop = asyncio.Event()

    async def ends_with_it() -> None:
        await stop.wait()

    asyncio.get_running_loop().call_later(0.01, stop.set)
    await service(stop, ends_with_it())


async def service(stop: asyncio.Event, part: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        others = group.create_task(goes_on())
        await until(stop, group.create_task(part), others)
        others.cancel()


async def test_a_task_of_a_group_that_is_cancelled_from_inside_fails_the_group():
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(never_silent(is_cancelled_from_inside)())
    assert caught.group_contains(PartEnded)


async def test_one_that_is_told_to_end_does_not():
    async with asyncio.TaskGroup() as group:
        before_its_first_step, later = (group.create_task(never_silent(goes_on)()) for _ in range(2))
        before_its_first_step.cancel()
        await asyncio.sleep(0)
        later.cancel()


async def test_nor_does_one_in_which_a_time_is_up():
    async def gives_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await goes_on()

    async with asyncio.TaskGroup() as group:
        group.create_task(never_silent(gives_up)())


async def test_an_ops_port_that_ends_from_inside_ends_the_service(monkeypatch: pytest.MonkeyPatch):
    ops = OpsServer("127.0.0.1", 0)
    monkeypatch.setattr(uvicorn.Server, "serve", lambda *_, **__: is_cancelled_from_inside())
    with pytest.raises(PartEnded):
        await ops.run()
