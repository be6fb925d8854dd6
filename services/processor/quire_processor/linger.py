"""Holds outcomes back for a moment, so that those of about the same time are sent to the log together.

A record that is sent alone costs the broker and every reader of the log as much as a group of records does.
"""

import asyncio

from quire_runtime.clock import Clock


class Linger:
    """Groups callers of `wait`: at most one group leaves within `seconds`. A caller after a longer pause leaves at once."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._open_from = float("-inf")
        self._group: asyncio.Event | None = None

    async def wait(self) -> None:
        """Waits until the group of the caller leaves."""
        if self._group is None:
            ahead = self._open_from - self._clock.monotonic()
            if ahead <= 0:
                self._left()
                return
            self._group = asyncio.Event()
            asyncio.get_running_loop().call_later(ahead, self._leave, self._group)
        await self._group.wait()

    def flush(self) -> None:
        """Lets the group that waits leave now."""
        if self._group is not None:
            self._leave(self._group)

    def _leave(self, group: asyncio.Event) -> None:
        if group is self._group:  # else the group was flushed before its time
            self._group = None
            self._left()
            group.set()

    def _left(self) -> None:
        self._open_from = self._clock.monotonic() + self._seconds
