"""Every open WebSocket of this notifier, and how they are sent away at the end."""

import asyncio
import random

from quire_notifier import metrics
from quire_notifier.pushing.admission import Admission
from quire_notifier.sockets.wire import DRAINING, Wire

UNHURRIED_SECONDS = 0.02
"""Between two clients sent away, where there are few: a dozen of them is no storm."""


class Sockets:
    """A wire is in here from its handshake to its end."""

    def __init__(self, admission: Admission) -> None:
        self.draining = False
        self._admission = admission
        self._open: dict[Wire, None] = {}
        metrics.SOCKETS.set_function(lambda: len(self._open))

    def add(self, wire: Wire, address: str) -> bool:
        """False when there are too many from this address."""
        if not self._admission.admit(address):
            return False
        self._open[wire] = None
        return True

    def remove(self, wire: Wire, address: str) -> None:
        del self._open[wire]
        self._admission.dismiss(address)

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
