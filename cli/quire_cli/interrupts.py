"""Makes Ctrl-C an event that a task can wait for, and reads what the user types."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

from quire_cli.errors import INTERRUPTED

T = TypeVar("T")
QUICK = 3
"""Number of unanswered presses of Ctrl-C that end the process at once."""


class Pressed(Exception):
    """The user pressed Ctrl-C before the work was done."""


class Presses:
    """Queue of the presses of Ctrl-C that have not been answered yet."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[None] = asyncio.Queue()

    async def unless_pressed(self, work: Coroutine[Any, Any, T], within: float | None = None) -> T:
        """Returns the result of `work`. Cancels it and raises Pressed at Ctrl-C, or TimeoutError after `within` seconds."""
        async with asyncio.TaskGroup() as group:
            task, press = group.create_task(work), group.create_task(self._waiting.get())
            await asyncio.wait({task, press}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            pressed = press.done()
            task.cancel()
            press.cancel()
        if not task.cancelled():
            return task.result()
        raise Pressed if pressed else TimeoutError

    def press(self) -> None:
        self._waiting.put_nowait(None)
        if self._waiting.qsize() >= QUICK:
            os._exit(INTERRUPTED)


@contextmanager
def presses() -> Iterator[Presses]:
    """Yields a Presses that queues each Ctrl-C. Until the end of the block, SIGINT interrupts nothing by itself."""
    loop, counted = asyncio.get_running_loop(), Presses()
    loop.add_signal_handler(signal.SIGINT, counted.press)
    try:
        yield counted
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def keyboard() -> TextIO | None:
    """Returns the file that the user types into: standard input if it is a terminal, else /dev/tty (standard input may be a
    pipe of filenames). None where there is no terminal.
    """
    if sys.stdin.isatty():
        return sys.stdin
    try:
        return Path("/dev/tty").open()
    except OSError:
        return None


async def typed_line(keyboard: TextIO) -> str:
    """Returns the next line typed at `keyboard`, empty at its end. The event loop is not blocked; the wait may be cancelled."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def readable() -> None:
        if not line.done():
            line.set_result(keyboard.readline())

    loop.add_reader(keyboard.fileno(), readable)
    try:
        return await line
    finally:
        loop.remove_reader(keyboard.fileno())
