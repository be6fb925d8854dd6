"""The one clock, passed in as a parameter, so that tests say what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is written down, monotonic time for what is waited for."""

    def now(self) -> datetime:
        """The time in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def seconds_since(moment: datetime) -> float:
    """0 where the moment is still to come: the clock of another machine may be ahead of ours."""
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
