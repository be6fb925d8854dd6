"""Limits how many WebSockets and event streams an address and a subject may have open at a time."""

from collections import Counter
from typing import Protocol

from quire_notifier import metrics
from quire_runtime.settings import is_loopback


class SocketLimits(Protocol):
    """The most connections that may be open at a time; 0 means no limit."""

    @property
    def max_sockets_per_address(self) -> int: ...
    @property
    def max_sockets_per_subject(self) -> int: ...


class Admission:
    """Counts open connections. An address is counted when it connects, a subject when its token has been accepted."""

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._addresses: Counter[str] = Counter()
        self._subjects: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Counts a connection of this address. Returns False, and counts nothing, when the address has too many."""
        most = self._limits.max_sockets_per_address
        if most and self._addresses[address] >= most and not is_loopback(address):
            metrics.REFUSED.labels("address").inc()
            return False
        self._addresses[address] += 1
        return True

    def dismiss(self, address: str) -> None:
        _less(self._addresses, address)

    def enter(self, subject: str) -> bool:
        """Counts a connection of this subject. Returns False, and counts nothing, when the subject has too many."""
        most = self._limits.max_sockets_per_subject
        if most and self._subjects[subject] >= most:
            metrics.REFUSED.labels("subject").inc()
            return False
        self._subjects[subject] += 1
        return True

    def leave(self, subject: str) -> None:
        _less(self._subjects, subject)


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
