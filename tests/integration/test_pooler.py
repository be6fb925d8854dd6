"""Postgres behind PgBouncer: pooled sessions will do, pooled transactions are refused by name."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from tests.integration.test_runtime_postgres import files

from quire_local.ports import free_ports
from quire_runtime.migrations import migrate
from quire_runtime.postgres import SessionsShared, _require_own_session, connect_pool
from quire_runtime.settings import PostgresSettings

SETTINGS = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = {mode}
"""
needs_pgbouncer = pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="needs pgbouncer on PATH")


@asynccontextmanager
async def pooled(dsn: str, mode: str, directory: Path) -> AsyncIterator[str]:
    """The URL of a PgBouncer before Postgres."""
    postgres, [own] = urlsplit(dsn), free_ports(1)
    users, settings = directory / "users", directory / "pgbouncer.ini"
    users.write_text(f'"{postgres.username}" "{postgres.password}"\n')
    settings.write_text(SETTINGS.format(host=postgres.hostname, port=postgres.port, own=own, users=users, mode=mode))
    command = ["pgbouncer", str(settings)]
    if os.getuid() == 0:  # it will not run as root
        shutil.chown(directory, "nobody")
        command[1:1] = ["--user", "nobody"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield urlunsplit(postgres._replace(netloc=f"{postgres.username}:{postgres.password}@127.0.0.1:{own}"))
    finally:
        process.terminate()
        await process.wait()


@needs_pgbouncer
async def test_pooled_sessions_will_do(stack: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    schema = f"pooled_{uuid4().hex}"
    sql = files(tmp_path, m0001_first="CREATE TABLE a (n int); INSERT INTO a VALUES (1);")
    async with pooled(stack.backing.postgres, "session", tmp_path_factory.mktemp("pooler")) as dsn:
        await migrate(dsn, schema, sql)
        pool = await connect_pool(PostgresSettings(dsn=dsn, pool_size=2), schema)
        try:
            for _ in range(3):  # a connection that comes back from the pool finds the tables, too
                assert await pool.fetchval("SELECT n FROM a") == 1
        finally:
            await pool.close()


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_pooled_transactions_and_statements_are_refused(stack: Any, tmp_path: Path, mode: str) -> None:
    async with pooled(stack.backing.postgres, mode, tmp_path) as dsn:
        with pytest.raises(SessionsShared, match="Set pool_mode = session"):
            await migrate(dsn, "pooled", tmp_path)


class Client:
    """A connection to `processes`, one after the other, and then to the last; it was told that it is to process 1."""

    def __init__(self, *processes: int) -> None:
        self._processes = chain(processes, repeat(processes[-1]))

    def get_server_pid(self) -> int:
        return 1

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def fetchval(self, _sql: str) -> int:
        return next(self._processes)

    async def close(self) -> None: ...


async def recognised(mine: Client, other: Client) -> None:
    async def another() -> Any:
        return other

    await _require_own_session(cast("Any", mine), another)


async def test_pooled_transactions_are_known_by_the_processes_that_clients_meet() -> None:
    await recognised(Client(1), Client(1))
    await recognised(Client(7), Client(8))
    for mine, other in [(Client(7), Client(7)), (Client(7, 7, 9), Client(8)), (Client(7), Client(8, 8, 8, 9))]:
        with pytest.raises(SessionsShared):
            await recognised(mine, other)
