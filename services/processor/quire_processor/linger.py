"""Lets outcomes that come shortly after each other into the log together: each record of its own costs the broker, and everybody
who reads it, as much as a group does.
"""

import asyncio

from quire_runtime.clock import Clock


class Linger:
    """At most one group leaves within `seconds`; whoever comes after a longer pause leaves at once."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._open_from = float("-inf")
        self._group: asyncio.Event | None = None

    async def wait(self) -> None:
        """Returns when the group of the caller leaves."""
        if self._group is None:
            ahead = self._open_from - self._clock.monotonic()
            if ahead <= 0:
                self._left()
                return
            self._group = asyncio.Event()
            asyncio.get_running_loop().call_later(ahead, self._leave, self._group)
        await self._group.wait()

    def flush(self) -> None:
        """Whoever waits leaves now."""
        if self._group is not None:
            self._leave(self._group)

    def _leave(self, group: asyncio.Event) -> None:
        if group is self._group:  # else it was flushed before its time
            self._group = None
            self._left()
            group.set()

    def _left(self) -> None:
        self._open_from = self._clock.monotonic() + self._seconds
