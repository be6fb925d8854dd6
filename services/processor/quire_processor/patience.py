"""How long a worker may go on with its file: judged by what it computes and by how far it comes.

The clock of a machine that is busy, or was frozen, says nothing about a file. Pure; times are in seconds.
"""

from typing import Literal

from quire_processor.limits import Limits

LOOK_EVERY = 0.25
_LONGEST_LOOK = 2 * LOOK_EVERY  # counted of what passed between two looks: in the rest, we stood still ourselves
_COMPUTES = 0.01  # of the time that passes: what computes less stands still
_STANDSTILLS = 10  # wall limits that a file may take altogether, so that none takes for ever

Overtime = Literal["computing", "standstill"]


class Patience:
    """Of one file, from `now` on. What the worker computes before the first look is not counted."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._looked = now
        self._cpu: float | None = None
        self._computed = self._passed = self._stood = 0.0
        self._page = 0
        self._text_took: float | None = None

    def look(self, cpu: float | None, page: int, now: float, *, text_read: bool) -> Overtime | None:
        """Why the worker is to be stopped; None while it may go on. `cpu` is what it has computed in its life, None where this
        machine does not tell: then the clock has to do. `page` is the last one that it has said to be done.
        """
        passed = min(now - self._looked, _LONGEST_LOOK)
        computed = passed if cpu is None else 0.0 if self._cpu is None else cpu - self._cpu
        self._looked, self._cpu = now, cpu
        self._computed += computed
        self._passed += passed
        stands = computed < _COMPUTES * passed and page <= self._page and text_read == (self._text_took is not None)
        self._stood = self._stood + passed if stands else 0.0
        self._page = max(page, self._page)
        if text_read and self._text_took is None:
            self._text_took = self._computed
        return self._verdict()

    def _verdict(self) -> Overtime | None:
        most = self._limits.killed_after if self._text_took is None else self._text_took + self._limits.picture_seconds
        if self._computed > most:
            return "computing"
        wall = self._limits.wall_seconds
        return "standstill" if self._stood > wall or self._passed > _STANDSTILLS * wall else None
