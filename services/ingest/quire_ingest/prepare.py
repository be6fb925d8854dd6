"""Prepares the topic and the bucket that ingest needs."""

from quire_ingest.settings import IngestSettings
from quire_runtime import connecting
from quire_runtime.command import TriedConnection
from quire_runtime.probing import probed
from quire_runtime.storage import ObjectStore
from quire_runtime.topic import ensure_topic
from quire_schemas.object_keys import ORIGINALS


async def prepared(settings: IngestSettings, store: ObjectStore, give_up_after: float | None = None) -> None:
    """Makes the topic and the bucket, or waits for them, as `QUIRE_PREPARE` says.

    Servers that are away are waited for, `give_up_after` seconds at most; None: for ever.
    """
    await ensure_topic(settings.kafka, make=settings.prepare.make, give_up_after=give_up_after)
    await store.ensure_bucket(make=settings.prepare.make, give_up_after=give_up_after)
    await probed(store, ORIGINALS, claims=True, give_up_after=give_up_after)


async def prepare(settings: IngestSettings, give_up_after: float) -> None:
    """Carries out the command `prepare`."""
    async with ObjectStore(settings.s3) as store:
        await prepared(settings, store, give_up_after)


async def connect(settings: IngestSettings) -> list[TriedConnection]:
    """Tries the connections to all servers, for `check-config --connect`."""
    return await connecting.connected(
        {
            "Kafka": connecting.kafka(settings.kafka, settings.prepare),
            "S3": connecting.s3(settings.s3, settings.prepare, ORIGINALS, claims=True),
        }
    )
