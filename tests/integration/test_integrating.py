"""The programs of samples/integrate work: each submits a PDF, reads the topic in its language, and asks where it stands."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import uuid
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import encrypted_pdf, simple_pdf

from quire_local.jars import cache_directory, classpath, pinned

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "integrate"
SECONDS = 100
Command = Callable[[], list[str]]


def python() -> list[str]:
    return [sys.executable, str(SAMPLES / "python" / "integrate.py")]


def java() -> list[str]:
    """With the jars that the embedded Kafka runs on: they hold those that pom.xml asks for."""
    found = shutil.which("java")
    if found is None or shutil.which("javac") is None:
        pytest.skip("there is no JDK here: THE JAVA SAMPLE WAS NOT RUN")
    jars = classpath("kafka", cache_directory(), pinned())
    if not all(map(os.path.exists, jars.split(":"))):
        pytest.skip("Kafka's jars are not here, as the stack runs in containers: THE JAVA SAMPLE WAS NOT RUN")
    return [found, "-cp", jars, str(SAMPLES / "java" / "Integrate.java")]


def go() -> list[str]:
    found = shutil.which("go")
    if found is None:
        pytest.skip("there is no Go here: THE GO SAMPLE WAS NOT RUN")
    fetched = subprocess.run([found, "mod", "download"], cwd=SAMPLES / "go", capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"its modules cannot be fetched: THE GO SAMPLE WAS NOT RUN: {fetched.stderr.strip()[-300:]}")
    return [found, "run", "-C", str(SAMPLES / "go"), "."]


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack) as client:
        yield client


async def ran(client: Client, command: list[str], file: Path) -> list[str]:
    """What the program says, line by line."""
    quire = client.quire
    where = {
        "INGEST": quire.ingest_url,
        "NOTIFIER": quire.notifier_url,
        "KAFKA": quire.backing.kafka,
        "TOPIC": quire.backing.topic,
        "GROUP": f"integrate-{uuid.uuid4()}",
    }
    process = await asyncio.create_subprocess_exec(
        *command, str(file), env={**os.environ, **where}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


@pytest.mark.parametrize("command", [python, java, go])
async def test_it_follows_its_upload_to_the_end(client: Client, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(simple_pdf(command.__name__))
    lines = await ran(client, command(), file)
    request_id = lines[0].removeprefix("submitted ")
    said = [line.split()[0] for line in lines]
    assert said[:2] == ["submitted", "quire.batch.created.v1"]
    assert [word for word in said if word.startswith("quire.file.")] == ["quire.file.processed.v1"]
    assert said.count("quire.batch.completed.v1") == 1
    assert lines[-1] == f"asked completed {request_id}"


@pytest.mark.parametrize("command", [python, java, go])
async def test_it_hears_that_a_file_failed(client: Client, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "secret.pdf"
    file.write_bytes(encrypted_pdf())
    lines = await ran(client, command(), file)
    assert any(line.startswith("quire.file.failed.v1") for line in lines)
    assert lines[-1].startswith("asked failed ")


def test_the_java_sample_asks_for_the_jars_that_it_was_run_with() -> None:
    names = {"m": "http://maven.apache.org/POM/4.0.0"}
    asked = {
        ":".join(str(part.text) for part in (one[0], one[1], one[2]))
        for one in ET.parse(SAMPLES / "java" / "pom.xml").iterfind(".//m:dependency", names)  # noqa: S314 -- ours
    }
    assert asked <= {re.sub(":jar:", ":", jar.coordinate) for jar in pinned()}
    assert len(asked) == 2
