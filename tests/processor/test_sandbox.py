"""What a processor makes of a kernel that lacks a part of the sandbox, by QUIRE_SANDBOX."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason=f"there is no sandbox for {sys.platform} on {platform.machine()}",
)
WITHOUT = str(Path(__file__).with_name("kernel_without.py"))
NOBODY = "127.0.0.1:9"
SERVERS = {
    "QUIRE_KAFKA_BOOTSTRAP": NOBODY,
    "QUIRE_POSTGRES_DSN": f"postgresql://nobody@{NOBODY}/nothing",
    "QUIRE_S3_ENDPOINT": f"http://{NOBODY}",
    "QUIRE_S3_ACCESS_KEY": "none",
    "QUIRE_S3_SECRET_KEY": "none",
}


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
    command = [*([sys.executable, WITHOUT, missing] if missing else []), sys.executable, "-m", "quire_processor"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **SERVERS, **settings}, stderr=pipe)
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
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


@pytest.mark.parametrize("missing", ["landlock", "seccomp"])
async def test_where_it_is_required_a_processor_does_not_start_without(missing: str, tmp_path: Path) -> None:
    async with processor("require", missing, tmp_path) as (process, _), asyncio.timeout(60):
        _, said = await process.communicate()
    [line] = said.decode().splitlines()
    assert process.returncode == 2
    assert f"QUIRE_SANDBOX=require, but worker processes are not confined on this machine: no {missing} (" in line
    assert line.endswith("or set QUIRE_SANDBOX=prefer")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sandbox", "missing", "holds"),
    [
        ("prefer", "", {"landlock": 1, "seccomp": 1}),
        ("prefer", "landlock", {"landlock": 0, "seccomp": 1}),
        ("prefer", "landlock,seccomp", {"landlock": 0, "seccomp": 0}),
        ("off", "", {"landlock": 0, "seccomp": 0}),
    ],
)
async def test_elsewhere_a_metric_and_a_warning_say_what_is_missing(
    sandbox: str, missing: str, holds: dict[str, float], tmp_path: Path
) -> None:
    async with processor(sandbox, missing, tmp_path) as (process, port):
        measured = await gauges(port)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    if sandbox == "prefer" and not missing and not all(measured.values()):
        pytest.skip(f"this machine lacks a part: {measured}")
    assert measured == holds
    assert process.returncode == 0
    warnings = [line for line in said.decode().splitlines() if "not confined" in line]
    assert len(warnings) == (0 if all(holds.values()) else 1)
    assert all(f"no {part} (" in warning for warning in warnings for part, value in holds.items() if not value)
