"""The `quire` command as people and scripts use it, on running services."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import corrupt_pdf, encrypted_pdf, simple_pdf, slow_pdf


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack) as one:
        yield one


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "quire_cli", *arguments]


async def quire(client: Client, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**client.quire.env(), "QUIRE_URL": client.quire.notifier_url}
    return await asyncio.to_thread(
        subprocess.run, command(*arguments), env=environment, input=typed, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "good.pdf").write_bytes(simple_pdf("good"))
    (tmp_path / "deep" / "locked.pdf").write_bytes(encrypted_pdf())
    (tmp_path / "deep" / "bad.pdf").write_bytes(corrupt_pdf())
    (tmp_path / "note.txt").write_text("not for Quire")
    return tmp_path


async def test_submit_shows_each_file_and_ends_with_1_when_some_failed(client: Client, folder: Path) -> None:
    done = await quire(client, "submit", str(folder), "-c", "cli")
    assert done.returncode == 1, done.stderr
    for expected in (
        "Submitting 3 files",
        "good.pdf  1 page",
        "locked.pdf  encrypted",
        "bad.pdf  corrupt",
        "1 of 3 files processed",
    ):
        assert expected in done.stdout


async def test_submit_ends_with_0_when_all_is_well_and_speaks_json(client: Client, folder: Path) -> None:
    done = await quire(client, "submit", str(folder / "good.pdf"), "--json", "-c", "cli-json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    [settled] = [line for line in lines if line.get("type") == "FILES_PROCESSED"]
    assert (settled["filename"], settled["status"]) == ("good.pdf", "processed")


async def test_names_may_come_from_stdin(client: Client, folder: Path) -> None:
    done = await quire(client, "submit", "-", "-c", "stdin", typed=f"{folder / 'good.pdf'}\n")
    assert done.returncode == 0, done.stderr


async def test_batches_and_a_batch_can_be_looked_at(client: Client, folder: Path) -> None:
    await quire(client, "submit", str(folder), "-c", "look")
    listed = await quire(client, "batches", "-c", "look", "--json")
    [batch] = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (batch["total"], batch["failed"]) == (3, 2)
    shown = await quire(client, "batch", batch["batch_id"])
    assert shown.returncode == 0
    assert "locked.pdf" in shown.stdout
    again = await quire(client, "retry", batch["batch_id"])
    assert (again.returncode, "generation 1" in again.stdout) == (0, True)


async def test_a_batch_can_be_cancelled_once(client: Client) -> None:
    [batch_id] = await client.accepted([(f"{n}.pdf", slow_pdf(f"{n}", 600)) for n in range(4)], collection_id="cancel")
    await client.until(batch_id, lambda batch: batch["status"] == "processing")
    assert (await quire(client, "cancel", batch_id, "--reason", "wrong folder")).returncode == 0
    await client.until(batch_id, lambda batch: batch["status"] == "cancelled")
    again = await quire(client, "cancel", batch_id)
    assert (again.returncode, "has ended" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("batch", "00000000-0000-4000-8000-000000000000"), "There is no such batch"),
        (("submit", "/nowhere/at/all.pdf"), "/nowhere/at/all.pdf"),
        (("batches", "--url", "http://127.0.0.1:1"), "Nothing answers at http://127.0.0.1:1"),
    ],
)
async def test_an_error_is_a_sentence_and_no_traceback(client: Client, arguments: tuple[str, ...], sentence: str) -> None:
    done = await quire(client, *arguments)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


async def test_every_setting_can_be_seen(client: Client) -> None:
    done = await quire(client, "check-config", "--json")
    assert done.returncode == 0, done.stderr
    shown = {line["service"]: line["settings"] for line in map(json.loads, done.stdout.splitlines())}
    assert shown.keys() == {"ingest", "processor", "notifier"}
    secrets = [setting["value"] for settings in shown.values() for setting in settings if setting["secret"]]
    assert client.quire.backing.s3_secret_key not in secrets


async def test_on_a_terminal_bars_are_drawn_and_ctrl_c_asks_first(client: Client, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.pdf").write_bytes(slow_pdf(f"{number}", 900))
    environment = {**client.quire.env(), "QUIRE_URL": client.quire.notifier_url, "TERM": "xterm", "COLUMNS": "100"}
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = await asyncio.create_subprocess_exec(
        *command("submit", str(tmp_path), "-c", "terminal"), env=environment, start_new_session=True, **streams
    )
    os.close(theirs)
    shown = ""

    async def until(text: str) -> None:
        nonlocal shown
        async with asyncio.timeout(40):
            while text not in shown:
                shown += (await asyncio.to_thread(os.read, ours, 4096)).decode(errors="replace")

    try:
        await until("0 of 6")
        process.send_signal(2)
        await until("Type c to")
        os.write(ours, b"c\n")
        async with asyncio.timeout(40):
            with_output = asyncio.create_task(drained(ours))
            assert await process.wait() == 1
        with_output.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        os.close(ours)
    [batch] = (await client.get("/api/batches", collection_id="terminal"))["items"]
    assert batch["status"] == "cancelled"


async def drained(terminal: int) -> None:
    """A terminal that nobody reads holds up who writes."""
    while True:
        try:
            await asyncio.to_thread(os.read, terminal, 4096)
        except OSError:
            return
