"""`check-config --connect`: tries once, with each server, what a service needs at its start. It makes no topic, bucket or
table.
"""

from collections.abc import Awaitable, Mapping

import asyncpg
from msgspec import structs

from quire_runtime import logs, probing
from quire_runtime.command import TriedConnection
from quire_runtime.errors import CannotServe
from quire_runtime.kafka import LogUnavailable
from quire_runtime.migrations import NotPrepared, ensure_tables
from quire_runtime.postgres import connect_one, patiently, quote
from quire_runtime.settings import KafkaSettings, LogSettings, PostgresSettings, PrepareSettings, S3Settings
from quire_runtime.storage import ObjectMissing, ObjectStore, StorageUnavailable
from quire_runtime.storage_errors import BucketMissing
from quire_runtime.topic import TopicMissing, ensure_topic

_AT_ONCE = 0.0
_ADDRESSES = {"Kafka": "QUIRE_KAFKA_BOOTSTRAP", "Postgres": "QUIRE_POSTGRES_DSN", "S3": "QUIRE_S3_ENDPOINT"}
_MAY_MAKE = """SELECT CASE WHEN to_regnamespace($1) IS NULL THEN has_database_privilege(current_database(), 'CREATE')
ELSE has_schema_privilege(to_regnamespace($1), 'CREATE') END"""


async def connected(checks: Mapping[str, Awaitable[list[str]]]) -> list[TriedConnection]:
    """Runs the checks, named Kafka, Postgres and S3, one after the other. A check returns notes on what the service can do
    without, and raises what keeps it from serving.
    """
    logs.setup(structs.replace(LogSettings(), level="critical"), "check-config")
    return [await _connection(name, check) for name, check in checks.items()]


async def kafka(settings: KafkaSettings, prepare: PrepareSettings) -> list[str]:
    """Checks Kafka and the topic. A missing topic is no problem if the service makes it."""
    try:
        await ensure_topic(settings, make=False, give_up_after=_AT_ONCE)
    except TopicMissing:
        if not prepare.make:
            raise
        return [f"the topic {settings.topic} is not there yet: the service makes it at its start"]
    return []


async def s3(settings: S3Settings, prepare: PrepareSettings, prefix: str, *, claims: bool = False) -> list[str]:
    """Checks S3 for a service that writes: tries a put, a list and a delete. `prefix` and `claims`
    are as in `probing.lacking`.
    """
    async with ObjectStore(settings) as store:
        try:
            await store.ensure_bucket(make=False, give_up_after=_AT_ONCE)
        except BucketMissing:
            if not prepare.make:
                raise
            return [f"the bucket {settings.bucket} is not there yet: the service makes it at its start"]
        return await probing.lacking(store, prefix, claims=claims)


async def s3_read(settings: S3Settings) -> list[str]:
    """Checks S3 for a service that only reads."""
    async with ObjectStore(settings) as store:
        try:
            await store.check()
        except ObjectMissing:
            return [f"the bucket {settings.bucket} is not there yet: ingest or processor make it"]
    return []


async def postgres(settings: PostgresSettings, prepare: PrepareSettings, package: str, schema: str) -> list[str]:
    """Checks that the tables exist, or that the service may make them."""
    if not prepare.make:
        await ensure_tables(package, schema, settings.dsn, prepare, give_up_after=_AT_ONCE)
    elif not await patiently(lambda: _may_make(settings.dsn, schema), settings.dsn, _AT_ONCE):
        cure = "Grant CREATE on it; or let an owner run `prepare`, and set QUIRE_PREPARE=false for this role"
        raise CannotServe(f"this role may not make the tables of the schema {schema}. {cure}")
    return []


async def _may_make(dsn: str, schema: str) -> bool:
    connection = await connect_one(dsn, schema)
    try:
        return bool(await connection.fetchval(_MAY_MAKE, quote(schema)))
    finally:
        await connection.close()


async def _connection(name: str, check: Awaitable[list[str]]) -> TriedConnection:
    try:
        return TriedConnection(name, None, await check)
    except (CannotServe, TopicMissing, BucketMissing, NotPrepared) as error:
        return TriedConnection(name, str(error), [])
    except (LogUnavailable, StorageUnavailable, OSError, asyncpg.PostgresError) as error:
        sentence = f"{error or type(error).__name__}. Start it, or correct {_ADDRESSES[name]}"
        return TriedConnection(name, sentence, [])
