"""A service for clients may have as many files open as the machine allows it, however low the limit is that it starts with."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.programs import NO_SERVERS

from quire_local.ports import free_ports
from quire_runtime.files import MOST_FILES

LOW = 128


@pytest.mark.skipif(sys.platform != "linux", reason="it reads the limits of another process as Linux does")
@pytest.mark.parametrize("service", ["ingest", "notifier"])
async def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one(service: str, tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = (MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES), hard)
    http, ops = free_ports(2)
    environment = {**os.environ, **NO_SERVERS, "QUIRE_HTTP_PORT": str(http), "QUIRE_OPS_PORT": str(ops)}
    command = ("sh", "-c", f'ulimit -S -n {LOW}; exec "$0" -m quire_{service}', sys.executable)
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(60):
            while serving_limit(process.pid, guarded=service == "notifier") != highest:
                assert process.returncode is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.05)
    finally:
        process.kill()
        await process.wait()


def serving_limit(pid: int, *, guarded: bool) -> tuple[int, int] | None:
    """Of the process that serves; None before there is one: a shell and a guardian go before it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.name() != "sh" and (serving := process.children() if guarded else [process]):
            return resource.prlimit(serving[0].pid, resource.RLIMIT_NOFILE)
    return None
