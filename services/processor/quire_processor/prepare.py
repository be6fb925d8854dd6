"""Prepares the topic, the bucket and the tables that the processor needs."""

import asyncpg

from quire_processor.settings import ProcessorSettings
from quire_runtime import connecting, postgres
from quire_runtime.command import TriedConnection
from quire_runtime.migrations import ensure_tables
from quire_runtime.probing import probed
from quire_runtime.storage import ObjectStore
from quire_runtime.topic import ensure_topic
from quire_schemas.object_keys import ARTEFACTS

SCHEMA = "processor"


async def prepared(settings: ProcessorSettings, store: ObjectStore, give_up_after: float | None = None) -> asyncpg.Pool:
    """Makes the topic, the bucket and the tables, or waits for them, as `QUIRE_PREPARE` says. Returns the connection pool.

    Servers that are away are waited for, `give_up_after` seconds at most; None: for ever.
    """
    make = settings.prepare.make
    await ensure_tables("quire_processor", SCHEMA, settings.postgres.dsn, settings.prepare, give_up_after=give_up_after)
    await ensure_topic(settings.kafka, make=make, give_up_after=give_up_after)
    await store.ensure_bucket(make=make, give_up_after=give_up_after)
    await probed(store, ARTEFACTS, give_up_after=give_up_after)
    return await postgres.connect_pool(settings.postgres, SCHEMA, give_up_after=give_up_after)


async def prepare(settings: ProcessorSettings, give_up_after: float) -> None:
    """Carries out the command `prepare`."""
    async with ObjectStore(settings.s3) as store:
        pool = await prepared(settings, store, give_up_after)
        await pool.close()


async def connect(settings: ProcessorSettings) -> list[TriedConnection]:
    """Tries the connections to all servers, for `check-config --connect`."""
    return await connecting.connected(
        {
            "Kafka": connecting.kafka(settings.kafka, settings.prepare),
            "Postgres": connecting.postgres(settings.postgres, settings.prepare, "quire_processor", SCHEMA),
            "S3": connecting.s3(settings.s3, settings.prepare, ARTEFACTS),
        }
    )
