"""The fixture `stack`: one real Kafka, Postgres and S3 for the whole run. tests/integration/stack.py says what it can do. The
fixture `node`: Node with the packages that scripts of tests take.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.images import images
from tests.integration.stack import Stack

from quire_local import LocalStack, Ports
from quire_local.ports import free_ports


@pytest.fixture(scope="session")
async def node(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Node, and a directory with the packages that the scripts take."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("there is no Node here: the JavaScript clients were NOT tried")
    directory = tmp_path_factory.mktemp("node")
    (directory / "package.json").write_text("{}")
    install = [npm, "install", "--silent", "--prefer-offline", "--no-audit", "--no-fund", "centrifuge@5", "ws@8"]
    await asyncio.to_thread(subprocess.run, install, cwd=directory, check=True, capture_output=True)
    return program, directory


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    if images():
        from tests.integration.containers import contained  # noqa: PLC0415 - heavy, and rarely needed

        async with contained(directory / "logs") as stack:
            yield stack
        return
    kafka, controller, postgres, s3 = free_ports(4)
    ports = Ports(kafka=kafka, kafka_controller=controller, postgres=postgres, s3=s3)
    async with LocalStack.running(directory, ports) as local:
        yield Stack("embedded stack", local.kafka, local.postgres, local.s3, local.backing, directory / "logs")
