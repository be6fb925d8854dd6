"""Decides how long a worker may go on with its file, by the time that it computes and by its progress.

The clock alone says nothing about a file: the machine may be busy, or may have been frozen. Pure; times are in seconds.
"""

from typing import Literal

from quire_processor.limits import Limits

LOOK_EVERY = 0.25
_LONGEST_LOOK = 2 * LOOK_EVERY  # time that counts between two looks, at most: for the rest, this process stood still itself
_COMPUTES = 0.01  # part of the passing time: a worker that computes less stands still
_STANDSTILLS = 10  # times the wall limit that a file may take altogether, so that no file takes for ever

Overtime = Literal["computing", "standstill"]


class Patience:
    """The patience with one file, from `now` on. Time that the worker computes before the first look is not counted."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._looked = now
        self._cpu: float | None = None
        self._computed = self._passed = self._stood = 0.0
        self._page = 0
        self._text_took: float | None = None

    def look(self, cpu: float | None, page: int, now: float, *, text_read: bool) -> Overtime | None:
        """Returns why the worker is to be stopped; None while it may go on.

        `cpu` is the CPU time of the worker since its start; None where this machine does not tell it: then the clock is used.
        `page` is the last page that the worker has reported as read.
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
        return self._overtime()

    def _overtime(self) -> Overtime | None:
        most = self._limits.killed_after if self._text_took is None else self._text_took + self._limits.picture_seconds
        if self._computed > most:
            return "computing"
        wall = self._limits.wall_seconds
        return "standstill" if self._stood > wall or self._passed > _STANDSTILLS * wall else None
