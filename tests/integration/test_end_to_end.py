"""The whole path: HTTP, log, work, tables, feed, WebSocket. One set of services for all of it."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.client import Client, serving
from tests.integration.scraping import busy_worker
from tests.integration.stack import Stack
from tests.samples_pdf import corrupt_pdf, encrypted_pdf, simple_pdf, slow_pdf
from websockets.asyncio.client import connect

from quire_client import subscribe
from quire_schemas.events import BatchProgressed
from quire_schemas.messages import BatchCompletedMessage, FeedMessage

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
HEARTBEAT_SECONDS = "0.3"


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack, settings={"QUIRE_HEARTBEAT_SECONDS": HEARTBEAT_SECONDS}) as one:
        yield one


def good(count: int, pages: int = 1) -> list[tuple[str, bytes]]:
    return [(f"{number}.pdf", simple_pdf(f"file {number}", pages)) for number in range(count)]


async def test_60_files_are_3_batches_and_every_number_is_exact(client: Client) -> None:
    files = [*good(58), ("corrupt.pdf", corrupt_pdf()), ("locked.pdf", encrypted_pdf())]
    ids = await client.accepted(files, collection_id="sixty")
    batches = [await client.ended(batch_id) for batch_id in ids]
    assert [(b["total"], b["processed"], b["failed"], b["status"]) for b in batches] == [
        (25, 25, 0, "completed"),
        (25, 25, 0, "completed"),
        (10, 8, 2, "completed_with_errors"),
    ]
    codes = {file["original_filename"]: file["error_code"] for file in batches[2]["files"] if file["error_code"]}
    assert codes == {"corrupt.pdf": "corrupt", "locked.pdf": "encrypted"}
    listed = (await client.get("/api/batches", collection_id="sixty"))["items"]
    assert {batch["batch_id"] for batch in listed} == set(ids)
    files_now = (await client.get("/api/files", collection_id="sixty", limit=500))["items"]
    statuses = Counter(file["processing_status"] for file in files_now)
    assert statuses == {"processed": 58, "failed": 2}
    counting = "SELECT processing_status, count(*) FROM notifier.file_metadata WHERE collection_id = 'sixty' GROUP BY 1"
    rows = await client.rows(counting)
    assert {row["processing_status"]: row["count"] for row in rows} == statuses
    documents = await client.rows("SELECT count(*) AS n FROM processor.document WHERE collection_id = 'sixty'")
    assert documents == [{"n": 58}]
    await feed_is_exact(client, "sixty", ids)


async def feed_is_exact(client: Client, collection_id: str, ids: list[str]) -> None:
    messages = await client.feed(collection_id)
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    kinds = Counter((message["batch_id"], message["type"]) for message in messages)
    for batch_id, total in zip(ids, (25, 25, 10), strict=True):
        assert kinds[batch_id, "BATCH_CREATED"] == kinds[batch_id, "BATCH_PROCESSING_STARTED"] == 1
        assert kinds[batch_id, "BATCH_PROCESSING_COMPLETED"] == 1
        assert kinds[batch_id, "FILES_PROCESSED"] == total
    stages = Counter(message["stage"] for message in messages if message["type"] == "BATCH_PROCESSING_PROGRESS")
    assert [stages[name] for name in ("started", "database_insert_complete", "cloud_upload_complete")] == [3, 3, 3]


async def test_a_files_text_thumbnail_and_original_can_be_fetched(client: Client) -> None:
    content = simple_pdf("some words", pages=2)
    [batch_id] = await client.accepted([("näme «x».pdf", content)])
    [file] = (await client.ended(batch_id))["files"]
    assert (file["page_count"], file["upload_progress"], file["original_filename"]) == (2, 100, "näme «x».pdf")
    base = client.quire.notifier_url
    text = await client.http.get(f"{base}/{file['links']['text']}")
    assert [page["text"] for page in text.json()["pages"]] == ["some words 1", "some words 2"]
    plain = await client.http.get(f"{base}/{file['links']['text']}", headers={"Accept": "text/html,*/*"})
    assert plain.text == "some words 1\f\nsome words 2"
    thumbnail = await client.http.get(f"{base}/{file['links']['thumbnail']}")
    assert (thumbnail.headers["content-type"], thumbnail.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    original = await client.http.get(f"{base}/{file['links']['original']}")
    assert original.content == content
    part = await client.http.get(f"{base}/{file['links']['original']}", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, content[5:10])


async def test_what_is_missing_in_a_text_is_said_everywhere(client: Client) -> None:
    scanned = simple_pdf("words", pages=2).replace(b"(words 2)", b"(       )")
    [batch_id] = await client.accepted([("scan.pdf", scanned)], collection_id="notices")
    [file] = (await client.ended(batch_id))["files"]
    told = {key: file[key] for key in ("truncated", "pages_read", "characters", "notices")}
    assert (told["truncated"], told["pages_read"]) == (False, 2)
    assert [(notice["code"], notice["count"]) for notice in told["notices"]] == [("pages_without_text", 1)]
    assert [item["notices"] for item in (await client.get("/api/files", collection_id="notices"))["items"]] == [told["notices"]]
    [message] = [message for message in await client.feed("notices") if message["type"] == "FILES_PROCESSED"]
    assert {key: message[key] for key in told} == told
    counting = """SELECT count(*) AS n FROM notifier.file_metadata WHERE notices @> '[{"code": "pages_without_text"}]'"""
    assert await client.rows(counting) == [{"n": 1}]
    text = f"{client.quire.notifier_url}/{file['links']['text']}"
    assert [page.get("missing") for page in (await client.http.get(text)).json()["pages"]] == [None, "no_text"]
    plain = await client.http.get(text, headers={"Accept": "text/plain"})
    assert plain.text == "words 1\f\n[Page 2 has no text.]"


async def test_all_or_nothing_fails_every_file_with_the_first(client: Client) -> None:
    [batch_id] = await client.accepted([*good(3), ("bad.pdf", corrupt_pdf())], policy="all_or_nothing")
    batch = await client.ended(batch_id)
    assert (batch["status"], batch["error_code"], batch["failed"]) == ("failed", "file_failed", 4)
    assert {file["error_code"] for file in batch["files"]} == {"batch_failed", "corrupt"}


async def test_a_batch_of_bad_files_fails_each_with_its_own_code(client: Client) -> None:
    [batch_id] = await client.accepted([("a.pdf", corrupt_pdf()), ("b.pdf", encrypted_pdf())])
    batch = await client.ended(batch_id)
    assert (batch["status"], batch["error_code"]) == ("failed", "all_files_failed")
    assert [file["error_code"] for file in batch["files"]] == ["corrupt", "encrypted"]


async def test_what_is_no_pdf_is_rejected_alone_with_a_reason(client: Client) -> None:
    answer = await client.submit([*good(1), ("a.txt", b"hello"), ("b.pdf", b"")])
    body = answer.json()
    assert (answer.status_code, body["accepted"]) == (202, 1)
    assert {item["filename"]: item["code"] for item in body["rejected"]} == {"a.txt": "not_a_pdf", "b.pdf": "empty"}
    assert all(item["message"] for item in body["rejected"])


async def test_the_same_key_twice_is_one_submission_and_another_content_is_refused(client: Client) -> None:
    first = await client.submit(good(30), key="once", collection_id="key")
    again = await client.submit(good(30), key="once", collection_id="key")
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    other = await client.submit(good(29), key="once", collection_id="key")
    assert other.status_code == 422
    for batch in first.json()["batches"]:
        await client.ended(batch["batch_id"])
    assert len((await client.get("/api/batches", collection_id="key"))["items"]) == 2


async def test_an_upload_cut_off_half_way_leaves_nothing_accepted(client: Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n\r\n' + simple_pdf("cut", 50)
    host, port = client.quire.ingest_url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = "POST /api/documents/process?collection_id=cut HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x"
    writer.write(f"{head}\r\nContent-Length: {len(body) + 1000}\r\n\r\n".encode() + body)
    await writer.drain()
    await asyncio.sleep(0.5)
    writer.close()
    await client.ended((await client.accepted(good(1), collection_id="cut"))[0])
    assert len((await client.get("/api/batches", collection_id="cut"))["items"]) == 1


async def test_while_storage_hangs_an_upload_is_refused_and_nothing_of_it_comes_later(stack: Stack) -> None:
    async with serving(stack, settings={"QUIRE_S3_TIMEOUT_SECONDS": "1", "QUIRE_STORAGE_PATIENCE_SECONDS": "1"}) as client:
        stack.s3.freeze()
        try:
            refused = await client.submit(good(2), collection_id="hangs")
            with pytest.raises(httpx.ReadTimeout):
                await client.submit(good(2), collection_id="hangs", patience=0.5)
        finally:
            stack.s3.thaw()
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
        [batch_id] = await client.accepted(good(1), collection_id="hangs")
        await client.ended(batch_id)
        assert [batch["batch_id"] for batch in (await client.get("/api/batches", collection_id="hangs"))["items"]] == [batch_id]


async def test_heartbeats_come_while_a_batch_is_worked_on_and_end_with_it(client: Client) -> None:
    [slow] = await client.accepted([("slow.pdf", slow_pdf(pages=600))])
    [failing] = await client.accepted([("slow.pdf", slow_pdf(pages=600)), ("bad.pdf", corrupt_pdf())], policy="all_or_nothing")
    assert (await client.ended(slow))["status"] == "completed"
    assert (await client.ended(failing))["status"] == "failed"
    before = await beats(client)
    assert before[slow] > 1
    await asyncio.sleep(4 * float(HEARTBEAT_SECONDS))
    assert await beats(client) == before


async def beats(client: Client) -> Counter[str]:
    progress = [(event.batch_id, event.data) for _, _, event in await client.log() if isinstance(event.data, BatchProgressed)]
    return Counter(batch_id for batch_id, data in progress if data.stage == "heartbeat")


async def test_cancel_keeps_what_is_finished_and_retry_works_on_the_rest_only(client: Client) -> None:
    [batch_id] = await client.accepted([*good(2), *[(f"slow {n}.pdf", slow_pdf(f"slow {n}", 200)) for n in range(8)]])
    await client.until(batch_id, lambda batch: batch["processed"] >= 2)
    url = f"{client.quire.ingest_url}/api/batches/{batch_id}/cancel"
    answer = await client.http.post(url, content=rb'{"reason":"changed \ud800my mind \ud83d\ude00"}')
    assert answer.status_code == 202, answer.text
    cancelled = await client.until(batch_id, lambda batch: batch["status"] == "cancelled")
    assert cancelled["processed"] >= 2
    assert cancelled["cancelled"] > 0
    assert cancelled["processed"] + cancelled["cancelled"] == 10
    [told] = [message for message in await client.feed("default") if message.get("reason") and message["batch_id"] == batch_id]
    assert told["reason"] == "changed my mind \N{GRINNING FACE}"
    again = await client.command(batch_id, "cancel")
    assert (again.status_code, again.json()["code"], again.json()["batch_status"]) == (409, "batch_ended", "cancelled")
    retried = await client.command(batch_id, "retry")
    assert (retried.status_code, retried.json()["generation"]) == (202, 1)
    finished = await client.until(batch_id, lambda batch: batch["generation"] == 1 and batch["ended_at"] is not None)
    assert (finished["status"], finished["processed"]) == ("completed", 10)
    nothing = await client.command(batch_id, "retry")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_retry")
    _, processed = await client.folded()
    assert all(processed[file["file_id"], 0] + processed[file["file_id"], 1] == 1 for file in finished["files"])


async def test_an_unknown_batch_is_a_404(client: Client) -> None:
    for path in ("cancel", "retry"):
        answer = await client.command("00000000-0000-4000-8000-000000000000", path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_files_of_a_folder_keep_their_order_and_their_path(client: Client) -> None:
    names = ["ma\u0308rz/same.pdf", "april/same.pdf", "a.pdf"]
    [batch_id] = await client.accepted([(name, simple_pdf()) for name in names], collection_id="folder")
    of_the_batch = (await client.ended(batch_id))["files"]
    listed = (await client.get("/api/files", batch_id=batch_id))["items"]
    for files in (of_the_batch, listed):
        told = [(file["position"], file["original_filename"], file["path"]) for file in files]
        assert told == [(0, "same.pdf", "m\u00e4rz/same.pdf"), (1, "same.pdf", "april/same.pdf"), (2, "a.pdf", None)]


async def test_only_the_subscribers_of_a_collection_get_its_messages_and_a_reconnect_misses_nothing(client: Client) -> None:
    url = client.quire.notifier_url.replace("http", "ws")
    async with connect(f"{url}/ws?collection_id=mine", max_queue=None) as mine, connect(f"{url}/ws?collection_id=yours") as yours:
        assert json.loads(await mine.recv())["type"] == json.loads(await yours.recv())["type"] == "SUBSCRIBED"
        await client.accepted(good(30), collection_id="mine")
        seqs = [json.loads(await asyncio.wait_for(mine.recv(), 30))["seq"] for _ in range(7)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(yours.recv(), 0.3)
    assert seqs == list(range(1, 8))
    async with aclosing(subscribe(client.quire.notifier_url, "mine", after=7)) as feed:
        ended = 0
        async for message in feed:
            if isinstance(message, FeedMessage):
                seqs.append(message.seq)
                ended += type(message).__name__ == "BatchCompletedMessage"
                if ended == 2:
                    break
    assert seqs == list(range(1, len(await client.feed("mine")) + 1))


async def test_a_worker_that_crashes_costs_its_file_one_retry_and_nobody_else_anything(client: Client) -> None:
    [batch_id] = await client.accepted([(f"{n}.pdf", slow_pdf(f"{n}", 400)) for n in range(4)])
    await client.until(batch_id, lambda batch: batch["status"] == "processing")
    (await busy_worker(client)).send_signal(signal.SIGSEGV)
    batch = await client.ended(batch_id)
    assert (batch["status"], batch["attempt"]) == ("completed", 1)


async def test_every_file_of_the_corpus_ends_with_a_fitting_code(client: Client) -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"there is no corpus at {CORPUS}")
    with (CORPUS / "index.tsv").open(encoding="utf-8") as index:
        paths = [CORPUS / row[0] for row in csv.reader(index, delimiter="\t") if row and (CORPUS / row[0]).is_file()]
    paths = paths or sorted(CORPUS.rglob("*.pdf"))
    answer = (await client.submit([(path.name, path.read_bytes()) for path in paths], collection_id="corpus")).json()
    assert answer["accepted"] + len(answer["rejected"]) == len(paths) == 125
    assert {item["code"] for item in answer["rejected"]} <= {"not_a_pdf", "empty"}
    files = [file for batch in answer["batches"] for file in (await client.ended(batch["batch_id"]))["files"]]
    kind = {path.name: path.parent.name for path in paths}
    unfit = [
        (kind[file["original_filename"]], file["original_filename"], file["error_code"])
        for file in files
        if file["error_code"] not in FITTING.get(kind[file["original_filename"]], {None, "corrupt"})
    ]
    assert not unfit


FITTING: dict[str, set[str | None]] = {
    "ok": {None},
    "cjk": {None},
    "rtl": {None},
    "encrypted-userpw": {"encrypted"},
    "encrypted-ownerpw": {None, "encrypted"},
    "disagree": {None, "corrupt", "encrypted"},
    "broken": {None, "corrupt", "encrypted"},
    "hostile": {None, "corrupt", "timeout", "out_of_memory", "too_many_pages"},
}


async def test_the_read_model_is_rebuilt_from_the_log_the_same_to_the_last_field(client: Client) -> None:
    before, feed = await read_model(client), await feeds(client)
    assert len(before["batch"]) > 5
    rebuild(client)
    assert await read_model(client) == before
    assert await feeds(client) == feed
    await client.lose("TABLE notifier.batch, notifier.file_metadata")
    ready = await client.http.get(f"{client.quire.ops_url('notifier')}/readyz")
    assert (ready.status_code, "quire rebuild" in ready.text) == (503, True)
    rebuild(client)
    assert await read_model(client) == before
    [batch_id] = await client.accepted(good(1))
    assert (await client.ended(batch_id))["status"] == "completed"


async def test_with_the_whole_schema_lost_the_notifier_waits_for_a_rebuild_and_sockets_stay_open(client: Client) -> None:
    before, losses = await read_model(client), list[str]()
    async with aclosing(subscribe(client.quire.notifier_url, "lost", on_lost=lambda reason, _: losses.append(reason))) as feed:
        await anext(feed)
        await client.lose("SCHEMA notifier CASCADE")
        [meanwhile] = await client.accepted(good(1), collection_id="lost")
        await asyncio.sleep(3)  # until everything that looks now and then has noticed
        rebuild(client)
        assert (await client.ended(meanwhile))["status"] == "completed"
        [afterwards] = await client.accepted(good(1), collection_id="lost")
        async with asyncio.timeout(30):
            async for message in feed:
                if isinstance(message, BatchCompletedMessage) and message.batch_id == afterwards:
                    break
    assert losses == []
    after = await read_model(client)
    known = {batch["batch_id"] for batch in before["batch"]}
    assert [batch for batch in after["batch"] if batch["batch_id"] in known] == before["batch"]
    assert len(after["batch"]) == len(known) + 2


def rebuild(client: Client) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quire_notifier", "rebuild"],
        env={**os.environ, **client.quire.env()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def read_model(client: Client) -> dict[str, list[dict[str, Any]]]:
    """All of it but `heard_at`, which says when it was projected."""
    batches = await client.rows("SELECT * FROM notifier.batch ORDER BY batch_id")
    return {
        "batch": [{name: value for name, value in batch.items() if name != "heard_at"} for batch in batches],
        "file_metadata": await client.rows("SELECT * FROM notifier.file_metadata ORDER BY batch_id, id"),
        "request": await client.rows("SELECT * FROM notifier.request ORDER BY request_id, collection_id"),
        "collection": await client.rows(
            "SELECT collection_id, queued, processing, processed, failed, cancelled FROM notifier.collection "
            "JOIN notifier.epoch ON epoch = epoch.id AND live ORDER BY collection_id"
        ),
    }


async def feeds(client: Client) -> dict[str, list[dict[str, Any]]]:
    """The feed of each batch, without the numbers of its messages."""
    sql = """
        SELECT batch_id::text, message FROM notifier.feed JOIN notifier.epoch ON epoch = epoch.id AND live
        ORDER BY collection_id, seq
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await client.rows(sql):
        found.setdefault(row["batch_id"], []).append({**json.loads(row["message"]), "seq": None})
    return found
