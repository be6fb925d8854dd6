"""What a processor makes of a kernel that lacks a part of the sandbox, by QUIRE_SANDBOX."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import platform
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tests.programs import NO_SERVERS

from quire_processor import landlock, seccomp, spawning, worker
from quire_processor.confine import PARTS, Sandbox
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason=f"there is no sandbox for {sys.platform} on {platform.machine()}",
)
WITHOUT = str(Path(__file__).with_name("kernel_without.py"))


@contextlib.asynccontextmanager
async def processor(sandbox: str, missing: str, where: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A processor that never finds its servers, and its ops port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "QUIRE_SANDBOX": sandbox,
        "QUIRE_OPS_PORT": str(port),
        "QUIRE_SCRATCH_DIR": str(where),
        "QUIRE_LOG_FORMAT": "json",
    }
    command = [sys.executable, WITHOUT, missing, sys.executable, "-m", "quire_processor"]
    pipe = asyncio.subprocess.PIPE
    environment = {**os.environ, **NO_SERVERS, **settings}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=pipe, start_new_session=True)
    try:
        yield process, port
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # a kernel may not let the service end with its guardian
            await process.wait()


async def gauges(port: int) -> dict[str, float]:
    """Each part of the sandbox with its value, once there is a worker."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                text = await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
                if re.search(r'^quire_processor_workers\{state="\w+"\} 1', text, re.MULTILINE):
                    found = re.findall(r'^quire_processor_sandbox\{part="(\w+)"\} (\S+)$', text, re.MULTILINE)
                    return {part: float(value) for part, value in found}
            await asyncio.sleep(0.1)


async def test_where_it_is_required_a_processor_does_not_start_without(tmp_path: Path) -> None:
    async with processor("require", "seccomp", tmp_path) as (process, _), asyncio.timeout(60):
        _, said = await process.communicate()
    line = said.decode().splitlines()[-1]  # others may say that it waits for its stores, which are not there
    assert process.returncode == 2
    assert "QUIRE_SANDBOX=require, but worker processes are not confined on this machine: " in line
    assert "no seccomp (" in line
    assert line.endswith("or set QUIRE_SANDBOX=prefer")
    assert list(tmp_path.iterdir()) == []


async def test_where_no_worker_can_read_a_processor_does_not_start(tmp_path: Path) -> None:
    by_which_it_is_asked = "recvfrom"
    async with processor("prefer", by_which_it_is_asked, tmp_path) as (process, _), asyncio.timeout(60):
        _, said = await process.communicate()
    line = said.decode().splitlines()[-1]
    assert process.returncode == 2
    assert "worker processes cannot read a PDF on this machine (worker_crashed)" in line
    assert line.endswith("set QUIRE_SANDBOX=off meanwhile")
    assert list(tmp_path.iterdir()) == []


async def test_where_it_is_preferred_a_processor_starts_without(tmp_path: Path) -> None:
    async with processor("prefer", "landlock", tmp_path) as (process, port):
        measured = await gauges(port)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    assert process.returncode == 0
    assert measured["landlock"] == 0
    [warning] = [line for line in said.decode().splitlines() if "not confined" in line]
    assert "no landlock (" in warning


@pytest.mark.parametrize(
    ("step", "made_by"),
    [
        ("pdeathsig", "_PR_SET_PDEATHSIG"),
        pytest.param("no_new_privs", "_PR_SET_NO_NEW_PRIVS", marks=pytest.mark.long),
        pytest.param("capset", "_drop_capabilities", marks=pytest.mark.long),
        pytest.param("setrlimit", "RLIMIT_AS", marks=pytest.mark.long),
    ],
)
async def test_where_the_kernel_refuses_another_step_no_worker_begins_whatever_is_preferred(
    step: str, made_by: str, tmp_path: Path
) -> None:
    async with processor("prefer", step, tmp_path) as (process, port), asyncio.timeout(60):
        assert process.stderr is not None
        while (said := json.loads(await process.stderr.readline()))["event"] != "worker not started":
            pass
        metrics = await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
    assert made_by in said["error"]
    assert re.search("not permitted|not allowed", said["error"])
    assert re.findall(r'^quire_processor_workers\{state="\w+"\} (\S+)$', metrics, re.MULTILINE) == ["0.0", "0.0"]


def worker_where_both_are(pipe: socket.socket, *arguments: Any) -> None:
    landlock.restrict = seccomp.restrict = lambda *_: None
    worker.main(pipe, *arguments)


def worker_where_none_is(pipe: socket.socket, *arguments: Any) -> None:
    landlock.restrict = seccomp.restrict = no_such_call
    worker.main(pipe, *arguments)


def no_such_call(*_: object) -> None:
    raise OSError(errno.ENOSYS, "Function not implemented")


@pytest.mark.parametrize(
    ("sandbox", "main", "lacking"),
    [
        ("require", worker_where_both_are, None),
        ("prefer", worker_where_both_are, None),
        ("prefer", worker_where_none_is, "no landlock (Function not implemented); no seccomp (Function not implemented)"),
        ("off", worker_where_both_are, "no landlock (QUIRE_SANDBOX=off); no seccomp (QUIRE_SANDBOX=off)"),
    ],
)
async def test_a_metric_and_a_warning_say_what_is_missing(
    sandbox: Sandbox, main: Callable[..., None], lacking: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawning, "work", main)
    with capture_logs() as logged:
        async with WorkerPool(1, Limits(), tmp_path, sandbox=sandbox):
            pass
    assert [line["lacking"] for line in logged if line["log_level"] == "warning"] == ([lacking] if lacking else [])
    for part in PARTS:
        assert REGISTRY.get_sample_value("quire_processor_sandbox", {"part": part}) == (0 if lacking else 1)
