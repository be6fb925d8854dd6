"""SIGTERM and SIGINT as an event to wait for. A second signal ends the process at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class PartEnded(Exception):
    """A part of the service ended by itself, which is a bug. The process ends, so that it is started again."""


def end_at_sigterm() -> None:
    """Ends this process at a SIGTERM, until another handler is installed. The first process of a container ignores SIGTERM
    while it has no handler, so this must be called before the imports, which take a second.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))


def stop_event() -> asyncio.Event:
    """Returns an event that the first SIGTERM or SIGINT sets. A second one ends the process at once, with code 128 + signal."""
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
    """Returns at `stop`. When a part ends before, raises its exception, or PartEnded. A task group alone ignores a part that
    was cancelled from inside, and the process would seem to be alive.
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


def never_silent(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorates a coroutine function whose coroutine is a task of a group. Where it is cancelled from inside, as by a client of a
    server that has given up, it raises PartEnded: a task group alone ignores a cancellation, whoever made it.
    """

    @wraps(function)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await function(*args, **kwargs)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise PartEnded(f"{function.__qualname__} was cancelled, but nobody told it to end") from error

    return told


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Returns the work's result. When told to stop first, cancels the work and returns None."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
