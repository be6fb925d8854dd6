import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from quire_runtime.signals import PartEnded, until


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
