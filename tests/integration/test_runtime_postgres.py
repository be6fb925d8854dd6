"""Pool and migrations on a real Postgres."""

import asyncio
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from quire_runtime.migrations import MigrationChanged, migrate
from quire_runtime.postgres import check, connect_pool, is_transient
from quire_runtime.settings import PostgresSettings


def files(directory: Path, **sql: str) -> Path:
    for name, text in sql.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(text)
    return directory


@pytest.fixture
def schema() -> str:
    return f'test "{uuid4()}"'


@pytest.fixture
def dsn(stack: Any) -> str:
    return stack.backing.postgres


async def tables(dsn: str, schema: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT table_name FROM information_schema.tables WHERE table_schema = $1", schema)
    finally:
        await connection.close()
    return {row[0] for row in rows}


async def test_migrations_are_applied_in_order_and_once(dsn: str, schema: str, tmp_path: Path):
    files(
        tmp_path,
        m0001_first="CREATE TABLE a (n int); INSERT INTO a VALUES (1);",
        m0002_second="ALTER TABLE a ADD m int DEFAULT 2;",
    )
    (tmp_path / "queries.sql").write_text("this is no migration")
    await migrate(dsn, schema, tmp_path)
    await migrate(dsn, schema, tmp_path)
    pool = await connect_pool(PostgresSettings(dsn=dsn, pool_size=2), schema)
    try:
        assert [tuple(row) for row in await pool.fetch("SELECT n, m FROM a")] == [(1, 2)]
        assert [row["name"] for row in await pool.fetch("SELECT name FROM migration ORDER BY version")] == ["first", "second"]
        assert await pool.fetchval("SHOW timezone") == "UTC"
        await check(pool)
    finally:
        await pool.close()


async def test_many_processes_may_migrate_at_once(dsn: str, schema: str, tmp_path: Path):
    files(tmp_path, m0001_first="CREATE TABLE a (n int); SELECT pg_sleep(0.1);", m0002_second="INSERT INTO a VALUES (1);")
    await asyncio.gather(*(migrate(dsn, schema, tmp_path) for _ in range(6)))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT set_config('search_path', quote_ident($1), false)", schema)
        assert await connection.fetchval("SELECT count(*) FROM a") == 1
    finally:
        await connection.close()


async def test_a_migration_that_fails_leaves_nothing_of_itself(dsn: str, schema: str, tmp_path: Path):
    files(tmp_path, m0001_first="CREATE TABLE a (n int);", m0002_second="CREATE TABLE b (n int); SELECT no_such_function();")
    with pytest.raises(asyncpg.UndefinedFunctionError):
        await migrate(dsn, schema, tmp_path)
    assert await tables(dsn, schema) == {"migration", "a"}
    files(tmp_path, m0002_second="CREATE TABLE b (n int);")
    await migrate(dsn, schema, tmp_path)
    assert await tables(dsn, schema) == {"migration", "a", "b"}


async def test_a_migration_that_was_changed_is_refused(dsn: str, schema: str, tmp_path: Path):
    await migrate(dsn, schema, files(tmp_path, m0001_first="CREATE TABLE a (n int);"))
    files(tmp_path, m0001_first="CREATE TABLE a (n bigint);")
    with pytest.raises(MigrationChanged, match="0001"):
        await migrate(dsn, schema, tmp_path)


async def test_an_older_version_lives_with_a_newer_schema(dsn: str, schema: str, tmp_path: Path):
    await migrate(dsn, schema, files(tmp_path, m0001_first="CREATE TABLE a (n int);", m0002_second="CREATE TABLE b (n int);"))
    (tmp_path / "0002_second.sql").unlink()
    await migrate(dsn, schema, tmp_path)


async def test_two_migrations_of_one_number_are_refused(dsn: str, schema: str, tmp_path: Path):
    with pytest.raises(ValueError, match="same number"):
        await migrate(dsn, schema, files(tmp_path, m0001_first="SELECT 1;", m0001_second="SELECT 1;"))


async def test_a_url_may_name_several_hosts(dsn: str, schema: str, tmp_path: Path):
    before, host, after = re.split(r"(?<=@)(.*)(?=/)", dsn)
    several = f"{before}127.0.0.1:9,{host}{after}?target_session_attrs=read-write"
    await migrate(several, schema, files(tmp_path, m0001_first="CREATE TABLE a (n int);"))
    pool = await connect_pool(PostgresSettings(dsn=several), schema)
    try:
        await check(pool)
    finally:
        await pool.close()


async def test_a_dba_may_make_the_schema(dsn: str, schema: str, tmp_path: Path):
    """Who may make tables in it need not be allowed to make schemas."""
    role = f"dba_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(dsn)
    quoted = '"' + schema.replace('"', '""') + '"'
    try:
        await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'app'; CREATE SCHEMA {quoted} AUTHORIZATION {role}")
    finally:
        await connection.close()
    theirs = f"postgresql://{role}:app@{dsn.rpartition('@')[2]}"
    await migrate(theirs, schema, files(tmp_path, m0001_first="CREATE TABLE a (n int);"))
    assert await tables(dsn, schema) == {"migration", "a"}


async def test_a_postgres_that_is_away_is_transient(dsn: str):
    with pytest.raises(OSError, match="Errno") as caught:
        await connect_pool(PostgresSettings(dsn="postgresql://quire@127.0.0.1:9/quire"), "test", give_up_after=0.2)
    assert is_transient(caught.value)


async def test_what_passes_by_itself_is_transient_and_a_mistake_is_not(dsn: str, schema: str, tmp_path: Path):
    await migrate(dsn, schema, files(tmp_path, m0001_first="CREATE TABLE a (n int PRIMARY KEY); INSERT INTO a VALUES (1), (2);"))
    pool = await connect_pool(PostgresSettings(dsn=dsn, pool_size=3, command_timeout_seconds=5), schema)

    async def cross(first: int, second: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE a SET n = n WHERE n = $1", first)
            await asyncio.sleep(0.2)
            await connection.execute("UPDATE a SET n = n WHERE n = $1", second)

    async def killed(after: float) -> None:
        async with pool.acquire() as victim, pool.acquire() as killer:
            await killer.execute("SELECT pg_terminate_backend($1)", victim.get_server_pid())
            await asyncio.sleep(after)
            await victim.fetchval("SELECT 1")

    async def late() -> None:
        await pool.execute("SELECT pg_sleep(5)", timeout=0.05)

    try:
        (deadlock,) = [e for e in await asyncio.gather(cross(1, 2), cross(2, 1), return_exceptions=True) if e]
        assert isinstance(deadlock, asyncpg.DeadlockDetectedError)
        others = await asyncio.gather(late(), return_exceptions=True)
        for n in range(20):
            others += await asyncio.gather(killed(n / 5000), return_exceptions=True)
        assert [error for error in [deadlock, *others] if not is_transient(error)] == []
        for mistake in ("SELEC 1", "SELECT 1/0", "INSERT INTO a VALUES (1)"):
            with pytest.raises(asyncpg.PostgresError) as caught:
                await pool.execute(mistake)
            assert not is_transient(caught.value)
    finally:
        await pool.close()
    with pytest.raises(asyncpg.InterfaceError) as caught:
        await pool.fetchval("SELECT 1")
    assert not is_transient(caught.value)
