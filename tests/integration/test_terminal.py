"""`quire submit` and `quire watch` on a terminal: what a person sees, Ctrl-C, a connection that is lost."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.integration.terminal import Terminal, terminal
from tests.samples_pdf import simple_pdf, slow_pdf

DAMAGED = "The file is damaged and cannot be read. Open it in a PDF program, save it anew, and upload that."
SAMPLES = Path(__file__).parents[2] / "samples" / "pdfs"


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack, settings={"QUIRE_HEARTBEAT_SECONDS": "0.5"}) as one:
        yield one


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(simple_pdf("report"))
    return path


@contextmanager
def frozen(client: Client, name: str) -> Any:
    """Inside, the service exists and does nothing."""
    client.quire.freeze(name)
    try:
        yield
    finally:
        client.quire.thaw(name)


def environment(client: Client) -> dict[str, str]:
    return {**client.quire.env(), "QUIRE_URL": client.quire.notifier_url}


def quire(client: Client, *arguments: object, piped: bytes | None = None) -> AbstractAsyncContextManager[Terminal]:
    command = [sys.executable, "-m", "quire_cli", *map(str, arguments)]
    return terminal(command, environment(client), piped=piped)


async def plainly(client: Client, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command without a terminal, to its end."""
    command = [sys.executable, "-m", "quire_cli", *map(str, arguments)]
    return await asyncio.to_thread(
        subprocess.run, command, env=environment(client), capture_output=True, text=True, check=False, timeout=60
    )


async def only_batch(client: Client, collection: str) -> dict[str, Any]:
    [batch] = (await client.get("/api/batches", collection_id=collection))["items"]
    return dict(batch)


async def test_ctrl_c_asks_and_a_second_one_leaves_with_the_batch_going_on(client: Client, pdf: Path) -> None:
    with frozen(client, "processor-1"):
        async with quire(client, "submit", pdf, "-c", "twice") as shown:
            await shown.until("0 of 1 file")
            shown.press_ctrl_c()
            await shown.until("Type c to cancel the batch that runs, q to leave and let it go on, or nothing to stay:")
            shown.press_ctrl_c()
            assert await shown.ended() == 130
        batch = await only_batch(client, "twice")
        assert f"quire: Left. These batches go on: {batch['batch_id']}." in shown.shown
        assert shown.raw.rindex("\x1b[?25h") > shown.raw.rindex("\x1b[?25l")  # the cursor is back
    assert (await client.ended(batch["batch_id"]))["status"] == "completed"


async def test_who_stays_sees_the_end_and_names_may_have_come_from_a_pipe(client: Client, pdf: Path) -> None:
    with frozen(client, "processor-1"):
        async with quire(client, "submit", "-", "-c", "stay", piped=f"{pdf}\n".encode()) as shown:
            await shown.until("0 of 1 file")
            shown.press_ctrl_c()
            await shown.until("or nothing to stay:")
            shown.type("\n")
            client.quire.thaw("processor-1")
            assert await shown.ended() == 0
    assert "✓ report.pdf  1 page" in shown.shown
    assert "1 of 1 file processed" in shown.shown


async def test_who_cancels_sees_the_batch_cancelled(client: Client, pdf: Path) -> None:
    with frozen(client, "processor-1"):
        async with quire(client, "submit", pdf, "-c", "cancelled") as shown:
            await shown.until("0 of 1 file")
            shown.press_ctrl_c()
            await shown.until("or nothing to stay:")
            shown.type("c\n")
            assert await shown.ended() == 1
    assert "0 of 1 file processed" in shown.shown
    assert "1 cancelled" in shown.shown
    assert (await only_batch(client, "cancelled"))["status"] == "cancelled"


async def test_an_upload_can_be_stopped_and_nothing_of_it_is_accepted(client: Client, pdf: Path) -> None:
    with frozen(client, "ingest"):
        async with quire(client, "submit", pdf, "-c", "stopped") as shown:
            await shown.until("uploading")
            shown.press_ctrl_c()
            await shown.until("Type c to stop the upload, q")
            shown.type("c\n")
            assert await shown.ended() == 1
    assert "0 of 1 file processed" in shown.shown
    assert "the upload was stopped" in shown.shown


async def test_a_lost_connection_is_told_and_made_again_and_nothing_is_missed(client: Client, pdf: Path) -> None:
    with frozen(client, "processor-1"):
        async with quire(client, "submit", pdf, "-c", "lost") as shown:
            await shown.until("0 of 1 file")
            await client.quire.kill("notifier")
            await shown.until("The connection is lost")
            await client.quire.start("notifier")
            await shown.until("Connected again, and caught up.")
            client.quire.thaw("processor-1")
            assert await shown.ended() == 0
    assert shown.shown.count("✓ report.pdf  1 page") == 1


async def test_watch_is_a_table_that_moves_until_ctrl_c(client: Client) -> None:
    async with quire(client, "watch", "-c", "watched") as shown:
        await shown.until("collection watched: 0 active batches")
        [batch_id] = await client.accepted([("slow.pdf", slow_pdf(pages=4_000))], collection_id="watched")
        await shown.until(f"{batch_id[:8]} processing")
        await shown.until("extracting slow.pdf, page")
        await client.command(batch_id, "cancel", reason="seen enough")
        await shown.until("cancelled: 0 processed, 1 cancelled (seen enough)")
        shown.press_ctrl_c()
        assert await shown.ended() == 130
    assert "Traceback" not in shown.shown


async def test_watch_as_json_gives_every_message_of_the_feed_once(client: Client) -> None:
    [batch_id] = await client.accepted([("a.pdf", simple_pdf())], collection_id="json")
    await client.ended(batch_id)
    feed = await client.feed("json")
    command = [sys.executable, "-m", "quire_cli", "watch", "--json", "-c", "json", "--after", "0"]
    process = await asyncio.create_subprocess_exec(*command, env=environment(client), stdout=subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(40):
        lines = [json.loads(await process.stdout.readline()) for _ in range(1 + len(feed))]
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
    assert lines[0]["type"] == "SUBSCRIBED"
    assert [line["seq"] for line in lines[1:]] == list(range(1, len(feed) + 1))
    assert [line["type"] for line in lines[1:]] == [message["type"] for message in feed]


async def test_the_samples_end_with_1_and_the_two_that_fail_say_what_to_do(client: Client) -> None:
    done = await plainly(client, "submit", SAMPLES, "-c", "samples")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    bad = [re.sub(r"  \[.*", "", line) for line in lines if line.startswith("✗")]
    assert sorted(bad) == [
        "✗ Confidential.pdf  encrypted: The file is protected by a password. Remove the password and upload it again.",
        f"✗ Damaged on the way.pdf  corrupt: {DAMAGED}",
    ]
    assert len([line for line in lines if line.startswith("✓")]) == 25
    assert re.fullmatch(r"25 of 27 files processed in .*, 2 failed", lines[-1])


async def test_the_same_key_doubles_nothing_and_shows_how_it_ended(client: Client, pdf: Path) -> None:
    first = await plainly(client, "submit", pdf, "-c", "key", "--key", "mine")
    again = await plainly(client, "submit", pdf, "-c", "key", "--key", "mine")
    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    assert "✓ report.pdf  1 page" in again.stdout
    assert (await only_batch(client, "key"))["total"] == 1
    pdf.write_bytes(simple_pdf("another"))
    other = await plainly(client, "submit", pdf, "-c", "key", "--key", "mine")
    assert (other.returncode, other.stderr.startswith("quire: ")) == (1, True)


async def test_a_silent_batch_is_stuck_and_the_beginning_of_its_id_is_enough_to_cancel_it(client: Client) -> None:
    [batch_id] = await client.accepted([("slow.pdf", slow_pdf(pages=2_000))], collection_id="stuck")
    await client.until(batch_id, lambda batch: batch["status"] == "processing")
    with frozen(client, "processor-1"):
        await asyncio.sleep(1)
        done = await plainly(client, "stuck", "--older-than", "0.5", "--json")
        assert (done.returncode, json.loads(done.stdout)["batch_id"]) == (1, batch_id)
        assert "processor-1" in (await plainly(client, "stuck", "--older-than", "0.5")).stdout
        listed = await plainly(client, "batches", "-c", "stuck", "--status", "processing", "--status", "queued")
        assert batch_id in listed.stdout
        assert (await plainly(client, "cancel", batch_id[:13])).returncode == 0
    assert (await client.ended(batch_id))["status"] == "cancelled"
    calm = await plainly(client, "stuck")
    assert (calm.returncode, calm.stdout) == (0, "")
