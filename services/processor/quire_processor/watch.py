"""Watches a worker process while it has a file: whether it has to be stopped, and whether it died for lack of memory."""

import asyncio
from types import TracebackType
from typing import Self

from quire_processor import vitals
from quire_processor.limits import Limits
from quire_processor.patience import LOOK_EVERY, Overtime, Patience
from quire_processor.reading import Reading

_LOOK_CLOSELY = 0.02  # seconds between two looks at a worker whose file has killed a worker before


class Watch:
    """A context in which TimeoutError is raised once the worker has to be stopped. `overtime` tells why.

    The code that asks the worker sets `page` to the last page that is read, and `reading` once the text is there. With
    `closely`, the worker's memory is watched, too.
    """

    def __init__(self, pid: int, limits: Limits, *, closely: bool) -> None:
        self.page = 0
        self.reading: Reading | None = None
        self.overtime: Overtime | None = None
        self._pid = pid
        self._limits = limits
        self._closely = closely
        self._peak = 0
        self._oom_kills = vitals.oom_kills() if closely else 0
        self._timer = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        self._patience = Patience(self._limits, self._loop.time())
        self._next = self._loop.call_later(self._every, self._look)
        await self._timer.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._next.cancel()
        await self._timer.__aexit__(kind, error, trace)

    def died_for_memory(self, exit_code: int | None) -> bool:
        """Returns whether a worker with this exit code died for lack of memory. The answer is reliable only with `closely`."""
        killed = self._closely and vitals.oom_kills() > self._oom_kills
        return vitals.ended_by_memory(exit_code, peak=self._peak, limit=self._limits.memory_bytes, kernel_killed=killed)

    @property
    def _every(self) -> float:
        return _LOOK_CLOSELY if self._closely else LOOK_EVERY

    def _look(self) -> None:
        now = self._loop.time()
        if self._closely:
            self._peak = max(self._peak, vitals.peak_bytes(self._pid))
        self.overtime = self._patience.look(vitals.cpu_seconds(self._pid), self.page, now, text_read=self.reading is not None)
        if self.overtime is None:
            self._next = self._loop.call_later(self._every, self._look)
        else:
            self._timer.reschedule(now)
