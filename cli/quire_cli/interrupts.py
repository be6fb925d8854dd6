"""Ctrl-C as something that can be waited for."""

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
"""So many unheeded Ctrl-C end the process at once."""


class Pressed(Exception):
    """Ctrl-C came first."""


class Presses:
    """The Ctrl-C that have not been answered yet."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[None] = asyncio.Queue()

    async def unless_pressed(self, work: Coroutine[Any, Any, T], within: float | None = None) -> T:
        """What `work` gives. Ended before that, it raises Pressed; or TimeoutError after so many seconds."""
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
    """Inside, SIGINT interrupts nothing by itself."""
    loop, counted = asyncio.get_running_loop(), Presses()
    loop.add_signal_handler(signal.SIGINT, counted.press)
    try:
        yield counted
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def keyboard() -> TextIO | None:
    """Where the user types: standard input, or the terminal itself where that brings the names of files. None: nowhere."""
    if sys.stdin.isatty():
        return sys.stdin
    try:
        return Path("/dev/tty").open()
    except OSError:
        return None


async def typed_line(keyboard: TextIO) -> str:
    """A line typed there, without holding up anything else; may be cancelled. At its end: empty."""
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
