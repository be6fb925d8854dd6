"""Keeps the projection running: a consumer reads the log until the service stops, and the follower
waits while it cannot go on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg

from quire_notifier import metrics
from quire_notifier.projecting.epochs import Epoch, NeedsRebuild, Outdated, Superseded, live_epoch
from quire_runtime.consumer import LogConsumer, OffsetOutOfRange
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient
from quire_runtime.signals import unless

log = get_logger(__name__)

LOOK_SECONDS = 1.0


class Follower:
    """Runs one consumer after another. When it has to wait for another epoch, it starts a new consumer afterwards. Queries and
    feed are served meanwhile.
    """

    def __init__(
        self, pool: asyncpg.Pool, connect: Callable[[], LogConsumer], renew: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """`renew` must return when the live epoch is not older than our version of the fold, or raise NeedsRebuild."""
        self._pool = pool
        self._connect = connect
        self._renew = renew
        self._consumer: LogConsumer | None = None
        self._waiting: Exception | None = None
        self._outdated: Outdated | None = None
        self._tried: Epoch | None = None  # the live epoch when the last consumer was started
        metrics.REBUILD_NEEDED.set_function(lambda: isinstance(self._waiting, NeedsRebuild))

    async def run(self, stop: asyncio.Event) -> None:
        """Projects until `stop` is set."""
        while not stop.is_set():
            try:
                await self._follow(stop)
            except Outdated as outdated:
                await self._renewed(outdated, stop)
            except Superseded as superseded:
                log.info("a newer version projects, this one serves")
                await self._wait_for_another(superseded, stop)
            except (NeedsRebuild, OffsetOutOfRange) as error:
                await self._stand_still(error, stop)

    async def check_log(self) -> None:
        """Raises unless this notifier, or one of a newer version, projects events."""
        if isinstance(self._waiting, Superseded):
            return
        if self._waiting is not None:
            raise self._waiting
        if self._consumer is None:
            raise LogUnavailable("not started yet")
        await self._consumer.check()

    async def check_upgrade(self) -> None:
        """Raises while this version's tables are being built. Meanwhile an upgrade should not stop the notifiers of the older
        version.
        """
        if self._outdated is not None:
            raise self._outdated

    async def _follow(self, stop: asyncio.Event) -> None:
        """Joins the consumer group, unless the epoch is of another version: joining would move partitions for nothing."""
        epoch = await self._live_epoch()
        self._tried = epoch
        if epoch is not None:
            epoch.check()
        consumer = self._consumer = self._connect()
        running, looking = asyncio.create_task(consumer.run()), asyncio.create_task(self._look(consumer))
        stopping = asyncio.create_task(stop.wait())
        tasks = (running, looking, stopping)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            consumer.stop()
            await running
            if looking.done():
                looking.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, consumer: LogConsumer) -> None:
        """Once another epoch is live, the handler is asked anew where every partition goes on. Tables that were lost and made
        again know none of them, and a partition may get no record for long by which that would be found.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            epoch = await self._live_epoch()
            if epoch not in {None, self._tried}:
                self._tried = epoch
                consumer.ask_anew()

    async def _renewed(self, outdated: Outdated, stop: asyncio.Event) -> None:
        self._outdated = self._waiting = outdated
        try:
            await unless(stop, self._renew())
        except NeedsRebuild as refusal:
            await self._stand_still(refusal, stop)
        finally:
            self._outdated = self._waiting = None

    async def _stand_still(self, why: NeedsRebuild | OffsetOutOfRange, stop: asyncio.Event) -> None:
        refusal = why if isinstance(why, NeedsRebuild) else NeedsRebuild(str(why))
        log.error("the projection stands still", reason=str(refusal))
        await self._wait_for_another(refusal, stop)

    async def _wait_for_another(self, why: Exception, stop: asyncio.Event) -> None:
        """Returns when an epoch other than the last one that was tried is live, or at `stop`."""
        self._waiting = why
        while not stop.is_set() and await self._live_epoch() in {self._tried, None}:
            await unless(stop, asyncio.sleep(LOOK_SECONDS))
        self._waiting = None

    async def _live_epoch(self) -> Epoch | None:
        """Returns the live epoch, or None while its tables are lost or Postgres is away."""
        try:
            return await live_epoch(self._pool)
        except NeedsRebuild:
            return None
        except Exception as error:
            if not is_transient(error):
                raise
            return None
