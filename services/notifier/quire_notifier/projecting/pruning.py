"""Removes feed messages that are older than the retention. A subscriber that resumes before
`pruned_to` then gets a snapshot.
"""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import asyncpg

from quire_notifier import metrics
from quire_notifier.projecting.epochs import passes
from quire_runtime.logs import get_logger
from quire_runtime.statements import statements

log = get_logger(__name__)
_SQL = statements("quire_notifier.projecting", "pruning")

AT_ONCE = 5_000
"""Messages removed in one transaction. The collection's lock is then held too briefly to delay projecting."""
LONGEST_PAUSE_SECONDS = 300.0


class Pruner:
    """Prunes the feed from time to time. Any number of notifiers may prune at the same time."""

    def __init__(self, pool: asyncpg.Pool, retention_seconds: float) -> None:
        """`retention_seconds` 0 keeps all messages."""
        self._pool = pool
        self._retention = timedelta(seconds=retention_seconds)
        self._pause = min(LONGEST_PAUSE_SECONDS, max(1.0, retention_seconds / 20))

    async def run(self, stop: asyncio.Event) -> None:
        while self._retention and not stop.is_set():
            try:
                await self.prune(datetime.now(UTC) - self._retention)
            except Exception as error:
                if not passes(error):
                    raise
                log.warning("the feed is pruned later", error=repr(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await stop.wait()

    async def prune(self, before: datetime) -> int:
        """Removes the messages before this time from the beginning of every collection's feed.
        Returns how many were removed.
        """
        removed = 0
        for row in await self._pool.fetch(_SQL["candidates"]):
            while some := await self._prune(row["epoch"], row["collection_id"], before):
                removed += some
        if removed:
            log.info("feed messages pruned", messages=removed, before=before)
        return removed

    async def _prune(self, epoch: str, collection_id: str, before: datetime) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            last = await connection.fetchval(_SQL["last_old"], epoch, collection_id, before, AT_ONCE)
            if last is None:
                return 0
            await connection.execute(_SQL["move"], epoch, collection_id, last)
            removed = int((await connection.execute(_SQL["remove"], epoch, collection_id, last)).split()[-1])
        metrics.PRUNED.inc(removed)
        return removed
