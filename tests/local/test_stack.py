"""The embedded parts themselves: what survives what."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from quire_local import LocalStack, Ports
from quire_local.child import Child
from quire_local.errors import DirectoryInUse, PartFailed
from quire_local.kafka import new_cluster_id
from quire_local.part import Part
from quire_local.ports import free_ports
from quire_local.stack import silent, start_all, stop_all

RUN = """
import asyncio, json, sys
from pathlib import Path
from typing import Any
from quire_local import LocalStack, Ports

async def main():
    async with LocalStack.running(Path(sys.argv[1]), Ports(**json.loads(sys.argv[2]))) as stack:
        print(json.dumps(stack.pids), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def ports() -> dict[str, int]:
    return dict(zip(("kafka", "kafka_controller", "postgres", "s3"), free_ports(4), strict=True))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a name that has cost other programs their wits: no ASCII, a blank, a comma, a backslash, a percent sign."""
    return tmp_path_factory.mktemp("stack") / "Dätä, a\\b 100%"


@pytest.fixture
def killed(directory: Path) -> dict[str, int]:
    """The ports of a stack that was running in the directory until it was killed with -9."""
    chosen = ports()
    command = [sys.executable, "-c", RUN, str(directory), json.dumps(chosen)]
    plain = {**os.environ, "LC_ALL": "C"}  # as cron and ssh have it
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline()).keys() == {"kafka", "postgres", "s3"}
        process.send_signal(signal.SIGKILL)
    return chosen


async def test_a_second_stack_in_the_same_directory_is_refused_and_the_first_goes_on(directory: Path) -> None:
    async with LocalStack.running(directory, Ports(**ports())) as stack:
        with pytest.raises(DirectoryInUse):
            async with LocalStack.running(directory, Ports(**ports())):
                pass
        await in_postgres(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert all(part.alive for part in stack.parts)


async def test_data_survive_a_restart_at_other_ports_and_a_stale_postmaster_pid_of_a_living_process(directory: Path) -> None:
    stale = directory / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n1700000000\n5432\n\n127.0.0.1\n  1 2\nready   \n")
    async with LocalStack.running(directory, Ports(**ports())) as stack:
        assert await in_postgres(stack, "SELECT answer FROM kept") == 42


async def test_a_killed_stack_blocks_neither_its_directory_nor_its_ports(directory: Path, killed: dict[str, int]) -> None:
    async with LocalStack.running(directory, Ports(**killed)) as stack:
        assert await in_postgres(stack, "SELECT answer FROM kept") == 42
        assert all(part.alive for part in stack.parts)


async def in_postgres(stack: LocalStack, statement: str) -> Any:
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


class Stillborn(Part):
    """Ends before it is ready."""

    def __init__(self, log: Path) -> None:
        super().__init__("stillborn")
        self._log = log

    async def prepare(self) -> Child:
        return Child(self.name, [sys.executable, "-c", "raise SystemExit('no room in the inn')"], self._log)

    async def is_ready(self) -> bool:
        return False


class Slow(Stillborn):
    """Never gets ready."""

    ready_within = 0.3

    async def prepare(self) -> Child:
        return Child(self.name, [sys.executable, "-c", "import time; time.sleep(300)"], self._log)

    def why_not(self) -> str:
        return " (it says: not yet)"


async def test_a_part_that_dies_at_its_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    part = Stillborn(tmp_path / "stillborn.log")
    with pytest.raises(PartFailed, match=r"(?s)stillborn ended with exit code 1\..*no room in the inn"):
        await start_all([part], silent)


async def test_a_part_that_never_gets_ready_is_named_with_what_it_says(tmp_path: Path) -> None:
    part = Slow(tmp_path / "slow.log")
    with pytest.raises(PartFailed, match=r"was not ready after 0 s \(it says: not yet\)"):
        await start_all([part], silent)
    await stop_all([part])
    assert not part.alive


def test_no_cluster_id_looks_like_an_option() -> None:
    assert not [made for made in (new_cluster_id() for _ in range(1_000)) if made.startswith("-")]
