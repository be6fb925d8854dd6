"""SIGTERM and SIGINT as an event to wait for; the second one means it."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class PartEnded(Exception):
    """A part of the service ended by itself. That is a fault of ours; the process ends, to be started again."""


def end_at_sigterm() -> None:
    """Ends this process at a SIGTERM, until somebody else listens to it. As the first process of a container it would not hear
    it at all, as long as it has no handler of its own: so this comes before the imports, which take a second.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))


def stop_event() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process at once, with code 128 + signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
    return stop


async def until(stop: asyncio.Event, *parts: asyncio.Task[Any]) -> None:
    """Returns at `stop`. Raises PartEnded, or what a part raised, when one of the parts ends before: a task group alone passes
    over one that was cancelled from inside, and its process would look alive.
    """
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, *parts], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    for part in done - {stopping} if not stop.is_set() else ():
        if part.cancelled() or part.exception() is None:
            raise PartEnded(f"{part.get_coro()} ended although nobody told it to")
        part.result()


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result; None when told to stop first, the work cancelled."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
