"""Numbered migrations. A service that may change tables applies them; one that may not waits for them."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import asyncpg

from quire_runtime.errors import CannotServe
from quire_runtime.logs import get_logger
from quire_runtime.postgres import connect_one, patiently, quote
from quire_runtime.settings import PrepareSettings

log = get_logger(__name__)

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class MigrationChanged(CannotServe):
    """The file of an applied migration has changed. Applied migrations are history: undo the change, and add a new file."""


class NotPrepared(Exception):
    """Tables are missing or older than this version. Make them with the command `prepare`, or set QUIRE_PREPARE=true."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}. Make them with the command `prepare`, or set QUIRE_PREPARE=true")


class _Migration(NamedTuple):
    version: int
    name: str
    sql: str
    sha256: str


async def ensure_tables(
    package: str, schema: str, dsn: str, prepare: PrepareSettings, *, give_up_after: float | None = None
) -> None:
    """Applies the migrations in `sql/migrations` of the package, or waits for them, as the settings say. See `migrate` and
    `await_migrated`.
    """
    with as_file(files(package) / "sql" / "migrations") as sql:
        if prepare.make:
            await migrate(dsn, schema, sql, grant_to=prepare.grant_to, give_up_after=give_up_after)
        else:
            await await_migrated(dsn, schema, sql, give_up_after=give_up_after)


async def migrate(dsn: str, schema: str, sql: Path, *, grant_to: Sequence[str] = (), give_up_after: float | None = None) -> None:
    """Applies the files `NNNN_name.sql` of the directory `sql` that the schema does not have yet, in order, each in a
    transaction, and records them in `<schema>.migration`. Lets the roles `grant_to` read and write all tables. Several
    processes may do it at once. Raises MigrationChanged. Waits while Postgres is away, as `connect_pool` does.
    """
    known = _read(sql)

    async def apply(connection: asyncpg.Connection) -> None:
        await _migrate(connection, schema, known)
        await grant(connection, schema, grant_to)

    await patiently(lambda: _on_one_connection(dsn, schema, apply), dsn, give_up_after)


async def await_migrated(dsn: str, schema: str, sql: Path, *, give_up_after: float | None = None) -> None:
    """Returns once every migration of the directory `sql` has been applied by another process. Waits while Postgres is away, as
    `connect_pool` does. Raises MigrationChanged, and NotPrepared after `give_up_after` seconds.
    """
    known = _read(sql)

    async def look(connection: asyncpg.Connection) -> None:
        await _require(connection, schema, known)

    await patiently(lambda: _on_one_connection(dsn, schema, look), dsn, give_up_after, also=(NotPrepared,))


async def grant(connection: asyncpg.Connection, schema: str, roles: Sequence[str]) -> None:
    """Lets the roles read and write the rows of every table of the schema, but not change the tables."""
    for role in roles:
        await connection.execute(
            f"GRANT USAGE ON SCHEMA {quote(schema)} TO {quote(role)};"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {quote(schema)} TO {quote(role)}"
        )


async def _on_one_connection(dsn: str, schema: str, work: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
    connection = await connect_one(dsn, schema)
    try:
        await work(connection)
    finally:
        await connection.close()


async def _require(connection: asyncpg.Connection, schema: str, files: Sequence[_Migration]) -> None:
    try:
        applied = await _applied(connection, schema)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError) as error:
        raise NotPrepared(f"the tables of the schema {schema} are not there, or not for this role ({error})") from error
    _compare(schema, files, applied)
    if missing := [file.name for file in files if file.version not in applied]:
        raise NotPrepared(f"the tables of the schema {schema} lack the migrations {', '.join(missing)}")


async def _applied(connection: asyncpg.Connection, schema: str) -> dict[int, str]:
    """Returns the hash of each applied migration by version."""
    rows = await connection.fetch(f"SELECT version, sha256 FROM {quote(schema)}.migration")  # noqa: S608 -- quoted
    return {row["version"]: row["sha256"] for row in rows}


async def _migrate(connection: asyncpg.Connection, schema: str, files: Sequence[_Migration]) -> None:
    # The lock belongs to the session: it is held over all transactions and released with the connection in any case.
    await connection.execute("SELECT pg_advisory_lock($1)", _lock(schema))
    if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", quote(schema)):
        # Asked for first, because even IF NOT EXISTS needs the right to make a schema.
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    table = f"{quote(schema)}.migration"
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} "
        "(version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = await _applied(connection, schema)
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


def _lock(schema: str) -> int:
    """Returns the advisory lock of a schema's migrations: a signed 64-bit hash, which no other lock is likely to have."""
    return int.from_bytes(hashlib.sha256(f"quire migrations of {schema}".encode()).digest()[:8], "big", signed=True)
