"""The one clock of a service. It is passed in as a parameter, so that tests can set the time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for recorded times, monotonic time for waiting."""

    def now(self) -> datetime:
        """Returns the time in UTC."""
        ...

    def monotonic(self) -> float:
        """Returns the seconds since some fixed moment; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def seconds_since(moment: datetime) -> float:
    """Returns the seconds since a moment, or 0 if it is in the future: the clock of another machine may be ahead of ours."""
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
