"""What has to be there before anything can be projected."""

from importlib.resources import as_file, files

import asyncpg

from quire_notifier.epochs import SCHEMA, ensure_epoch
from quire_notifier.settings import NotifierSettings
from quire_runtime import postgres
from quire_runtime.topic import ensure_topic


async def prepared(settings: NotifierSettings) -> asyncpg.Pool:
    """Topic, tables and the first epoch, made where they are missing, whenever their servers come."""
    await migrated(settings)
    await ensure_topic(settings.kafka)
    pool = await postgres.connect_pool(settings.postgres, SCHEMA)
    await ensure_epoch(pool)
    return pool


async def migrated(settings: NotifierSettings, give_up_after: float | None = None) -> None:
    with as_file(files("quire_notifier") / "sql" / "migrations") as sql:
        await postgres.migrate(settings.postgres.dsn, SCHEMA, sql, give_up_after=give_up_after)
