"""Base class of the parts of the stack: each can start, get ready and stop."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod

from quire_local.child import Child
from quire_local.errors import PartFailed

PROBE_EVERY_S = 0.05


class Part(ABC):
    """A process with a name and a way to ask whether it is ready.

    `start` returns when the process runs, `wait_ready` when it serves. A part that was stopped or died can be started again.
    """

    ready_within: float = 60.0
    """Seconds within which the part has to be ready, even with a slow disk and a cold cache."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @abstractmethod
    async def prepare(self) -> Child:
        """Writes the files that the process needs; returns the child process to run. Called at each start."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """Returns whether the part serves. It is called again until it returns True, and takes a second at most."""

    def why_not(self) -> str:
        """Returns why the part is not ready, as the end of a sentence; empty if it does not tell."""
        return ""

    async def start(self) -> None:
        self._child = await self.prepare()
        await self._child.start()

    async def wait_ready(self) -> None:
        """Waits until the part is ready. Raises PartFailed, with the last log lines, when the process ends or is not ready
        within `ready_within` seconds.
        """
        deadline = time.monotonic() + self.ready_within
        while self.alive and time.monotonic() < deadline:
            if await self.is_ready():
                return
            await asyncio.sleep(PROBE_EVERY_S)
        if not self.alive:
            raise self.child.failure()
        what = f"was not ready after {self.ready_within:.0f} s{self.why_not()}"
        raise PartFailed(self.name, what, self.child.log, self.child.last_lines())

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()
        await self.wait_ready()

    def freeze(self) -> None:
        """Stops the process with SIGSTOP: it still exists but does not answer. For tests of outages."""
        if self.alive:
            self.child.freeze()

    def thaw(self) -> None:
        if self.alive:
            self.child.thaw()
