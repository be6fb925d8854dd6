"""Postgres: a pool, numbered migrations, and which errors pass by themselves."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import asyncpg

from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_runtime.settings import PostgresSettings

log = get_logger(__name__)
T = TypeVar("T")

CONNECT_SECONDS = 10.0
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_TRANSIENT: tuple[type[Exception], ...] = (
    OSError,  # refused, reset, timed out (a TimeoutError is an OSError)
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.OperatorInterventionError,  # class 57: shutdown, starting up, statement cancelled by a timeout
    asyncpg.InsufficientResourcesError,  # class 53: too many connections, disk full, out of memory
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is about to be promoted
    asyncpg.InternalClientError,  # what a statement on a connection that is just being lost may see
)
_LOST = ("connection is closed", "closed in the middle of operation", "has been released back to the pool")
"""asyncpg's words for a connection that was lost before, during and just after a statement."""


class MigrationChanged(Exception):
    """A migration that has been applied is not the file it was. Applied ones are history: undo the change, add a new file."""


class _Migration(NamedTuple):
    version: int
    name: str
    sql: str
    sha256: str


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed in a while, untouched: the server is away, full, or in each other's way."""
    if isinstance(error, asyncpg.InterfaceError):  # also raised for wrong use, which no waiting cures
        return any(sentence in str(error) for sentence in _LOST)
    return isinstance(error, _TRANSIENT)


async def connect_pool(
    settings: PostgresSettings, schema: str, *, application: str | None = None, give_up_after: float | None = None
) -> asyncpg.Pool:
    """A pool whose connections find the schema's tables without a prefix and speak UTC. While Postgres is away it waits, for
    `give_up_after` seconds at most (None: for ever). JSON columns come as text: msgspec is the one codec.
    """

    async def connect() -> asyncpg.Pool:
        return await asyncpg.create_pool(
            settings.dsn,
            min_size=1,
            max_size=settings.pool_size,
            timeout=CONNECT_SECONDS,
            command_timeout=settings.command_timeout,
            server_settings=_session(schema, application or f"quire-{schema}"),
        )

    return await _patiently(connect, settings.dsn, give_up_after)


async def migrate(dsn: str, schema: str, sql: Path, *, give_up_after: float | None = None) -> None:
    """Applies the files `NNNN_name.sql` of the directory `sql` that the schema has not had, in order, each in a transaction, and
    records them in `<schema>.migration`. Safe when several processes do it at once. Raises MigrationChanged. Waits while
    Postgres is away, as `connect_pool` does.
    """
    files = _read(sql)

    async def apply() -> None:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings=_session(schema, f"quire-{schema}"))
        try:
            await _migrate(connection, schema, files)
        finally:
            await connection.close()

    await _patiently(apply, dsn, give_up_after)


async def check(pool: asyncpg.Pool) -> None:
    """Raises unless Postgres answers now."""
    await pool.fetchval("SELECT 1")


async def _migrate(connection: asyncpg.Connection, schema: str, files: Sequence[_Migration]) -> None:
    # The lock is the session's: it is held over all transactions and falls with the connection, whatever happens.
    await connection.execute("SELECT pg_advisory_lock($1)", _lock(schema))
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quote(schema)}")
    table = f"{_quote(schema)}.migration"
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} "
        "(version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {row["version"]: row["sha256"] for row in await connection.fetch(f"SELECT version, sha256 FROM {table}")}  # noqa: S608 -- quoted
    _compare(schema, files, applied)
    for file in files:
        if file.version not in applied:
            async with connection.transaction():
                await connection.execute(file.sql)
                await connection.execute(
                    f"INSERT INTO {table} (version, name, sha256) VALUES ($1, $2, $3)",  # noqa: S608 -- quoted
                    file.version,
                    file.name,
                    file.sha256,
                )
            log.info("migration applied", schema=schema, version=file.version, name=file.name)


def _compare(schema: str, files: Sequence[_Migration], applied: Mapping[int, str]) -> None:
    for file in files:
        if file.version in applied and applied[file.version] != file.sha256:
            raise MigrationChanged(
                f"migration {file.version:04} ({file.name}) of the schema {schema} was applied with another content. "
                "Applied migrations are history: undo the change and add a new file"
            )
    newer = applied.keys() - {file.version for file in files}
    if newer:
        log.warning(
            "the schema has migrations this version does not know: a newer one was here", schema=schema, versions=sorted(newer)
        )


def _read(sql: Path) -> list[_Migration]:
    found = []
    for path in sorted(sql.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is not None:
            text = path.read_text(encoding="utf-8")
            found.append(_Migration(int(match[1]), match[2], text, hashlib.sha256(text.encode()).hexdigest()))
    versions = [file.version for file in found]
    if len(set(versions)) != len(versions):
        raise ValueError(f"two migrations in {sql} have the same number")
    return found


async def _patiently(fn: Callable[[], Awaitable[T]], dsn: str, give_up_after: float | None) -> T:
    where = urlsplit(dsn)
    address = f"{where.hostname}:{where.port or 5432}"

    return await retrying(
        fn,
        transient=is_transient,
        give_up_after=give_up_after,
        on_retry=lambda error, attempt: log.warning("waiting for postgres", address=address, error=repr(error), attempt=attempt),
    )


def _session(schema: str, application: str) -> dict[str, str]:
    return {"search_path": _quote(schema), "application_name": application, "timezone": "UTC"}


def _lock(schema: str) -> int:
    """The advisory lock of a schema's migrations, any number that others will not use: a signed 64-bit hash."""
    return int.from_bytes(hashlib.sha256(f"quire migrations of {schema}".encode()).digest()[:8], "big", signed=True)


def _quote(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
