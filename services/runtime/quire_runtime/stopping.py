"""Work that is cut off when something else comes first."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """What the work was to be cut off for has come first."""


async def settled(work: Awaitable[T], stopped: "asyncio.Task[bool]") -> "asyncio.Future[T]":
    """The work when it is done, or when it is cancelled since `stopped` was done first."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # asked for here, so that it counts as heard
    return task


def result_of(task: "asyncio.Future[T]") -> T:
    """Raises Stopped where it was cancelled."""
    if task.cancelled():
        raise Stopped
    return task.result()
