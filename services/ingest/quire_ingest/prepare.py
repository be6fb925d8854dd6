"""What has to be there before anything can be accepted."""

from quire_ingest.settings import IngestSettings
from quire_runtime import connecting
from quire_runtime.command import Connection
from quire_runtime.probing import probed
from quire_runtime.storage import ObjectStore
from quire_runtime.topic import ensure_topic
from quire_schemas.object_keys import ORIGINALS


async def prepared(settings: IngestSettings, store: ObjectStore, give_up_after: float | None = None) -> None:
    """Topic and bucket: made or waited for, as `QUIRE_PREPARE` says, whenever their servers come."""
    await ensure_topic(settings.kafka, make=settings.prepare.make, give_up_after=give_up_after)
    await store.ensure_bucket(make=settings.prepare.make, give_up_after=give_up_after)
    await probed(store, ORIGINALS, claims=True, give_up_after=give_up_after)


async def prepare(settings: IngestSettings, give_up_after: float) -> None:
    """The command."""
    async with ObjectStore(settings.s3) as store:
        await prepared(settings, store, give_up_after)


async def connect(settings: IngestSettings) -> list[Connection]:
    """`check-config --connect`."""
    return await connecting.connected(
        {
            "Kafka": connecting.kafka(settings.kafka, settings.prepare),
            "S3": connecting.s3(settings.s3, settings.prepare, ORIGINALS, claims=True),
        }
    )
