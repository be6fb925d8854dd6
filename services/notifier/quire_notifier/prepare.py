"""Prepares what has to exist before anything can be projected: topic, tables, and the first epoch."""

from typing import NamedTuple

import asyncpg

from quire_notifier.projecting.epochs import SCHEMA, ensure_epoch
from quire_notifier.projecting.renewal import renew
from quire_notifier.settings import NotifierSettings
from quire_runtime import connecting, postgres
from quire_runtime.command import TriedConnection
from quire_runtime.migrations import ensure_tables
from quire_runtime.topic import ensure_topic

PROJECTION_CONNECTIONS = 5
"""Connections, one each for projecting, pruning, counting what is unfinished, indexing, and checking whether the database
answers.
"""


class Pools(NamedTuple):
    """Pools of connections to Postgres. They are separate so that events are projected and pushed even when many readers of the
    API wait for slow answers.
    """

    projection: asyncpg.Pool
    feed: asyncpg.Pool
    readers: asyncpg.Pool

    def terminate(self) -> None:
        for pool in self:
            pool.terminate()


async def prepared(settings: NotifierSettings) -> Pools:
    """Returns the pools once topic, tables and the first epoch exist. They are made or waited for, as `QUIRE_PREPARE` says, for
    as long as their servers are away.
    """
    projection = await _prepared(settings, None)
    feed = await postgres.connect_pool(settings.postgres, SCHEMA, size=settings.feed_connections)
    return Pools(projection, feed, await postgres.connect_pool(settings.postgres, SCHEMA))


async def migrated(settings: NotifierSettings, give_up_after: float | None = None) -> None:
    await ensure_tables("quire_notifier.projecting", SCHEMA, settings.postgres.dsn, settings.prepare, give_up_after=give_up_after)


async def prepare(settings: NotifierSettings, give_up_after: float) -> None:
    """The command `prepare`. Tables of an older version of the fold are built again beside the live ones, which are replaced
    without a gap.
    """
    pool = await _prepared(settings, give_up_after)
    try:
        await renew(settings, pool)
    finally:
        await pool.close()


async def connect(settings: NotifierSettings) -> list[TriedConnection]:
    """Tries the connections for `check-config --connect`."""
    return await connecting.connected(
        {
            "Kafka": connecting.kafka(settings.kafka, settings.prepare),
            "Postgres": connecting.postgres(settings.postgres, settings.prepare, "quire_notifier.projecting", SCHEMA),
            "S3": connecting.s3_read(settings.s3),
        }
    )


async def _prepared(settings: NotifierSettings, give_up_after: float | None) -> asyncpg.Pool:
    await migrated(settings, give_up_after)
    await ensure_topic(settings.kafka, make=settings.prepare.make, give_up_after=give_up_after)
    pool = await postgres.connect_pool(settings.postgres, SCHEMA, give_up_after=give_up_after, size=PROJECTION_CONNECTIONS)
    await ensure_epoch(pool)
    return pool
