"""Keeps the open WebSockets of this notifier, and closes them at a shutdown."""

import asyncio
import random

from quire_notifier import metrics
from quire_notifier.pushing.admission import Admission
from quire_notifier.sockets.wire import DRAINING, Wire

UNHURRIED_SECONDS = 0.02
"""Seconds between the closing of two sockets when there are few: a dozen clients that reconnect at once do no harm."""


class Sockets:
    """The open sockets. A wire is among them from its handshake to its end."""

    def __init__(self, admission: Admission) -> None:
        self.draining = False
        self._admission = admission
        self._open: dict[Wire, None] = {}
        metrics.SOCKETS.set_function(lambda: len(self._open))

    def add(self, wire: Wire, address: str) -> bool:
        """Adds a wire. Returns False when its address has too many connections."""
        if not self._admission.admit(address):
            return False
        self._open[wire] = None
        return True

    def remove(self, wire: Wire, address: str) -> None:
        del self._open[wire]
        self._admission.dismiss(address)

    async def drain(self, seconds: float) -> None:
        """Closes every socket with code 3001, spread over at most this many seconds. Sockets that open later are closed at
        once.
        """
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
