"""Watches running parts: when a part dies, it tells the user, and starts the part again or ends the stack."""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quire_local.errors import PartFailed
from quire_local.part import Part

DEATHS_LIMIT, DEATHS_WITHIN_S = 5, 60.0
"""Number of deaths of one service, within a number of seconds, after which it is not started again."""


@dataclass
class Watch:
    """Watch over the infrastructure, which all services need, and over the services.

    Without `restart`, the first death ends the watch, except the death of one processor of several: the others take its work.
    With `restart`, a service that died is started again. `changed` is called whenever the set of running processes changes.
    """

    infrastructure: Sequence[Part]
    services: Sequence[Part]
    restart: bool
    tell: Callable[[str], None]
    changed: Callable[[], None]
    _deaths: dict[str, collections.deque[float]] = field(default_factory=dict)

    async def run(self) -> None:
        """Watches until a part dies that is needed and not started again. Then raises PartFailed with the part's name, how it
        ended, and its last log lines.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for part in self.infrastructure:
                    group.create_task(self._needed(part))
                for part in self.services:
                    group.create_task(self._restarted(part) if self.restart else self._dispensable(part))
        except* PartFailed as failures:
            raise failures.exceptions[0] from None

    async def _needed(self, part: Part) -> None:
        await part.child.wait()
        raise part.child.failure()

    async def _dispensable(self, part: Part) -> None:
        await part.child.wait()
        others = [service.name for service in self.services if service.alive and is_processor(service)]
        if not (is_processor(part) and others):
            raise part.child.failure()
        self.tell(f"{part.child.failure()}\nIts work goes to {', '.join(others)}.")
        self.changed()

    async def _restarted(self, part: Part) -> None:
        while True:
            await part.child.wait()
            if self._dies_too_often(part):
                often = f"died {DEATHS_LIMIT} times within {DEATHS_WITHIN_S:.0f} s, and is not started again"
                raise PartFailed(part.name, often, part.child.log, part.child.last_lines())
            self.tell(f"{part.child.failure()}\nIt is started again.")
            self.changed()
            await part.start()
            try:
                await part.wait_ready()
            except PartFailed:
                if part.alive:
                    raise
                continue  # it died again before it was ready, which counts as any other death
            self.tell(f"{part.name} runs again (pid {part.pid})")
            self.changed()

    def _dies_too_often(self, part: Part) -> bool:
        deaths = self._deaths.setdefault(part.name, collections.deque(maxlen=DEATHS_LIMIT))
        deaths.append(time.monotonic())
        return len(deaths) == DEATHS_LIMIT and deaths[-1] - deaths[0] < DEATHS_WITHIN_S


def is_processor(part: Part) -> bool:
    return part.name.startswith("processor-")
