"""Reads from the tables, at intervals, what is not finished yet. The gauges that alerts watch show it."""

import asyncio
import time
from functools import partial

import asyncpg

from quire_notifier import metrics
from quire_notifier.projecting.epochs import passes
from quire_runtime import signals
from quire_runtime.metrics import NOT_KNOWN
from quire_runtime.statements import statements

_SQL = statements("quire_notifier.projecting", "unfinished")

LOOK_SECONDS = 15.0
"""Seconds between two queries; Prometheus asks no more often. A query takes 0.3 ms when 50 batches are not finished, and 50 ms
when 40,000 are not.
"""
GOOD_SECONDS = 60.0
"""Seconds for which an answer is shown when no newer one follows."""


class Unfinished:
    """Sets the gauges to the last answer of the tables, or to no number once that answer is too old."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._seen: dict[str, asyncpg.Record] = {}
        self._seen_at = float("-inf")
        for status in metrics.UNFINISHED:
            metrics.UNFINISHED_BATCHES.labels(status).set_function(partial(self._last, status, "batches"))
            metrics.UNFINISHED_FILES.labels(status).set_function(partial(self._last, status, "files"))
            metrics.OLDEST_UNFINISHED.labels(status).set_function(partial(self._last, status, "age"))
        metrics.LONGEST_SILENCE.set_function(partial(self._last, "processing", "silence"))

    async def run(self, stop: asyncio.Event) -> None:
        await signals.unless(stop, self._keep_looking())

    async def look(self) -> None:
        """Queries the tables once. Raises asyncpg's errors when Postgres is away."""
        async with self._pool.acquire() as connection:
            try:
                rows = await connection.fetch(_SQL["unfinished"])
            except asyncio.CancelledError:
                connection.terminate()  # releasing it to the pool would wait for a Postgres that does not answer
                raise
        self._seen = {row["status"]: row for row in rows}
        self._seen_at = time.monotonic()

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:
                if not passes(error):
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    def _last(self, status: str, column: str) -> float:
        if time.monotonic() - self._seen_at > GOOD_SECONDS:
            return NOT_KNOWN
        return float(self._seen[status][column])
