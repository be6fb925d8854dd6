"""Every open WebSocket and event stream of this notifier: how many there may be, and how WebSockets are sent away at the end."""

import asyncio
import random
from collections import Counter
from typing import Protocol

from quire_notifier import metrics
from quire_notifier.sockets.wire import DRAINING, Wire
from quire_runtime.settings import is_loopback

UNHURRIED_SECONDS = 0.02
"""Between two clients sent away, where there are few: a dozen of them is no storm."""


class Limits(Protocol):
    """0: no limit."""

    @property
    def max_sockets_per_address(self) -> int: ...
    @property
    def max_sockets_per_subject(self) -> int: ...


class Sockets:
    """A wire is in here from its handshake to its end."""

    def __init__(self, limits: Limits) -> None:
        self.draining = False
        self._limits = limits
        self._open: dict[Wire, None] = {}
        self._addresses: Counter[str] = Counter()
        self._subjects: Counter[str] = Counter()
        metrics.SOCKETS.set_function(lambda: len(self._open))

    def add(self, wire: Wire, address: str) -> bool:
        """False when there are too many from this address."""
        if not self.admit(address):
            return False
        self._open[wire] = None
        return True

    def remove(self, wire: Wire, address: str) -> None:
        del self._open[wire]
        self.dismiss(address)

    def admit(self, address: str) -> bool:
        """False when there are too many from this address."""
        most = self._limits.max_sockets_per_address
        if most and self._addresses[address] >= most and not is_loopback(address):
            metrics.REFUSED.labels("address").inc()
            return False
        self._addresses[address] += 1
        return True

    def dismiss(self, address: str) -> None:
        _less(self._addresses, address)

    def enter(self, subject: str) -> bool:
        """False when there are too many of this subject."""
        most = self._limits.max_sockets_per_subject
        if most and self._subjects[subject] >= most:
            metrics.REFUSED.labels("subject").inc()
            return False
        self._subjects[subject] += 1
        return True

    def leave(self, subject: str) -> None:
        _less(self._subjects, subject)

    async def drain(self, seconds: float) -> None:
        """Sends everybody away with 3001, spread over at most so many seconds; no new ones are let in."""
        self.draining = True
        wires = list(self._open)
        random.shuffle(wires)
        pause = min(UNHURRIED_SECONDS, seconds / max(1, len(wires)))
        started = asyncio.get_running_loop().time()
        for number, wire in enumerate(wires, 1):
            wire.close(DRAINING, "this server is going away: connect again and go on with `after`")
            late = started + number * pause - asyncio.get_running_loop().time()
            if late > 0 and number < len(wires):
                await asyncio.sleep(late)


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
