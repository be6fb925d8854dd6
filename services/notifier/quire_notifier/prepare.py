"""What has to be there before anything can be projected."""

import asyncpg

from quire_notifier.epochs import SCHEMA, ensure_epoch
from quire_notifier.renewal import renew
from quire_notifier.settings import NotifierSettings
from quire_runtime import postgres
from quire_runtime.migrations import ensure_tables
from quire_runtime.topic import ensure_topic


async def prepared(settings: NotifierSettings, give_up_after: float | None = None) -> asyncpg.Pool:
    """Topic, tables and the first epoch: made or waited for, as `QUIRE_PREPARE` says, whenever their servers come."""
    await migrated(settings, give_up_after)
    await ensure_topic(settings.kafka, make=settings.prepare.make, give_up_after=give_up_after)
    pool = await postgres.connect_pool(settings.postgres, SCHEMA, give_up_after=give_up_after)
    await ensure_epoch(pool)
    return pool


async def migrated(settings: NotifierSettings, give_up_after: float | None = None) -> None:
    await ensure_tables("quire_notifier", SCHEMA, settings.postgres.dsn, settings.prepare, give_up_after=give_up_after)


async def prepare(settings: NotifierSettings, give_up_after: float) -> None:
    """The command. Tables of an older version of the fold are built anew beside the live ones, which is a switch and no gap."""
    pool = await prepared(settings, give_up_after)
    try:
        await renew(settings, pool)
    finally:
        await pool.close()
