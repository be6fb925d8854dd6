"""Keeps the projection going: a consumer that reads until told to stop, and waits where only a rebuild helps."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

from quire_notifier import metrics
from quire_notifier.epochs import NeedsRebuild, live_epoch
from quire_runtime.consumer import LogConsumer, OffsetOutOfRange
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient

log = get_logger(__name__)

LOOK_SECONDS = 1.0


class Follower:
    """Runs one consumer after the other: a new one after each rebuild that it had to wait for."""

    def __init__(self, pool: asyncpg.Pool, connect: Callable[[], LogConsumer]) -> None:
        self._pool = pool
        self._connect = connect
        self._consumer: LogConsumer | None = None
        self._refusal: NeedsRebuild | None = None
        self._tried: str | None = None  # the epoch that was live when the consumer began
        metrics.REBUILD_NEEDED.set_function(lambda: self._refusal is not None)

    async def run(self, stop: asyncio.Event) -> None:
        """Returns after `stop`. Queries and feed are served meanwhile, also while a rebuild is waited for."""
        while not stop.is_set():
            try:
                await self._follow(stop)
            except NeedsRebuild as refusal:
                await self._wait_for_rebuild(refusal, stop)
            except OffsetOutOfRange as error:
                await self._wait_for_rebuild(NeedsRebuild(str(error)), stop)

    async def check(self) -> None:
        """Raises unless events are being projected."""
        if self._refusal is not None:
            raise self._refusal
        if self._consumer is None:
            raise LogUnavailable("not started yet")
        await self._consumer.check()

    async def _follow(self, stop: asyncio.Event) -> None:
        self._tried = await self._live()
        consumer = self._consumer = self._connect()
        running, stopping = asyncio.create_task(consumer.run()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            consumer.stop()
            await running
        finally:
            for task in (running, stopping):
                task.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)

    async def _wait_for_rebuild(self, refusal: NeedsRebuild, stop: asyncio.Event) -> None:
        log.error("the projection stands still", reason=str(refusal))
        self._refusal = refusal
        while not stop.is_set() and await self._live() in {self._tried, None}:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
        self._refusal = None

    async def _live(self) -> str | None:
        """The live epoch's id; None while its tables are lost or Postgres is away."""
        try:
            return (await live_epoch(self._pool)).id
        except NeedsRebuild:
            return None
        except Exception as error:
            if not is_transient(error):
                raise
            return None
