"""Work that is cancelled when something else happens first."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """The work was cancelled, because the event that it should end at came first."""


async def settled(work: Awaitable[T], stopped: "asyncio.Task[bool]") -> "asyncio.Future[T]":
    """Waits for `work` or `stopped`, whichever comes first, and returns the task of the work. The task is cancelled if
    `stopped` was first.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved
    return task


def result_of(task: "asyncio.Future[T]") -> T:
    """Returns the result of the task, or raises its exception. Raises Stopped if it was cancelled."""
    if task.cancelled():
        raise Stopped
    return task.result()
