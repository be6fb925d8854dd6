"""Uploads as people think of them: listed, commanded, searched and taken out, over the running services."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import httpx
import pytest
from tests.integration.client import PATIENCE_SECONDS, Client, File, serving
from tests.integration.stack import Stack
from tests.samples_pdf import corrupt_pdf, encrypted_pdf, simple_pdf, slow_pdf

ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}
LONG_FILES = {"QUIRE_MAX_PAGES": "20000", "QUIRE_MAX_CHARACTERS": "100000000", "QUIRE_CPU_LIMIT_SECONDS": "60"}
"""So that a file can be read for longer than a few signs of life take, on the fastest of machines, too."""
SUMS = "SELECT * FROM notifier.request ORDER BY request_id"


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack, settings={"QUIRE_BATCH_SIZE": "4", **LONG_FILES}) as client:
        yield client


async def uploaded(client: Client, files: list[File], **params: str) -> dict[str, Any]:
    """The request, once it has ended."""
    answer = await client.submit(files, **params)
    assert answer.status_code == 202, answer.text
    return await until(client, answer.json()["request_id"], lambda request: request["status"] in ENDED)


async def until(client: Client, request_id: str, what: Any) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await client.http.get(f"{client.quire.notifier_url}/api/requests/{request_id}")
            if answer.status_code == 200 and what(answer.json()):
                return dict(answer.json())
            await asyncio.sleep(0.05)


async def exported(client: Client, **params: str) -> httpx.Response:
    answer = await client.http.get(f"{client.quire.notifier_url}/api/export", params=params)
    assert answer.status_code == 200, answer.text
    return answer


async def command(client: Client, request_id: str, name: str, **body: Any) -> httpx.Response:
    return await client.http.post(f"{client.quire.ingest_url}/api/requests/{request_id}/{name}", json=body)


def folder() -> list[File]:
    good = [(f"march/{number}.pdf", simple_pdf(f"lighthouse{number}", pages=2)) for number in range(7)]
    return [*good, ("march/broken.pdf", corrupt_pdf()), ("march/locked.pdf", encrypted_pdf())]


async def test_an_upload_is_one_thing_however_many_batches_it_is(client: Client) -> None:
    request = await uploaded(client, folder(), collection_id="one")
    assert request["name"] == "march"
    assert (request["status"], request["batches"]) == ("completed_with_errors", {"total": 3, "ended": 3})
    assert request["files"] == {"total": 9, "queued": 0, "processing": 0, "processed": 7, "failed": 2, "cancelled": 0}
    assert request["pages"] == 14
    assert request["bytes"] == sum(len(content) for _, content in folder())
    assert request["created_at"] <= request["started_at"] <= request["ended_at"]
    assert request["files_per_second"] > 0
    assert request["eta_seconds"] is None
    assert (await client.get("/api/requests", collection_id="one"))["items"] == [request]
    assert (await client.get("/api/requests", collection_id="one", status="completed,failed"))["items"] == []
    [collection] = [each for each in (await client.get("/api/collections"))["items"] if each["collection_id"] == "one"]
    assert collection["files"] == request["files"]
    batches = (await client.get("/api/batches", request_id=request["request_id"]))["items"]
    assert [batch["total"] for batch in batches] == [1, 4, 4]
    files = (await client.get("/api/files", request_id=request["request_id"], limit=500))["items"]
    assert len(files) == 9
    assert {file["path"] for file in files} == {name for name, _ in folder()}
    failed = (await client.get("/api/files", request_id=request["request_id"], code="encrypted"))["items"]
    assert [file["original_filename"] for file in failed] == ["locked.pdf"]


async def test_failures_are_grouped_by_their_reason(client: Client) -> None:
    request = await uploaded(client, [*folder(), ("b.pdf", corrupt_pdf(1))], collection_id="failures")
    failures = (await client.get(f"/api/requests/{request['request_id']}/failures"))["items"]
    assert [(each["code"], each["count"]) for each in failures] == [("corrupt", 2), ("encrypted", 1)]
    assert "password" in failures[1]["message"]


async def test_the_files_of_an_upload_come_in_its_order_page_by_page(client: Client) -> None:
    request = await uploaded(client, folder(), collection_id="order")
    whole = [name for name, _ in folder()]
    for within in ({"request_id": request["request_id"]}, {"request_id": request["request_id"], "status": "processed"}):
        paths: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await client.get("/api/files", order="upload", limit=2, **within, **cursor)
            paths += [file["path"] for file in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert paths == (whole[:7] if "status" in within else whole)
    [batch_id] = {file["batch_id"] for file in (await client.get("/api/files", q="2.pdf", collection_id="order"))["items"]}
    assert [file["path"] for file in (await client.get("/api/files", batch_id=batch_id, order="upload"))["items"]] == whole[:4]


async def test_a_cursor_goes_on_in_its_own_order_only(client: Client) -> None:
    request = await uploaded(client, folder(), collection_id="orders")
    of = {"request_id": request["request_id"]}
    upload = (await client.get("/api/files", limit=2, order="upload", **of))["next_cursor"]
    newest = (await client.get("/api/files", limit=2, **of))["next_cursor"]
    url = f"{client.quire.notifier_url}/api/files"
    for order, cursor in (("upload", newest), ("newest", upload)):
        answer = await client.http.get(url, params={**of, "order": order, "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")
        assert "order" in answer.json()["detail"]
    for params in ({"order": "upload"}, {"order": "upload", "in": "text", "q": "a", **of}, {"order": "size", **of}):
        answer = await client.http.get(url, params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_order")


async def test_failures_of_a_collection_name_the_uploads_in_which_they_can_be_retried(client: Client) -> None:
    both = [await uploaded(client, [*folder(), ("b.pdf", corrupt_pdf(n))], collection_id="reasons") for n in range(2)]
    failures = (await client.get("/api/failures", collection_id="reasons"))["items"]
    assert [(each["code"], each["count"], each["retriable"]) for each in failures] == [("corrupt", 4, 4), ("encrypted", 2, 2)]
    for each in failures:
        assert sorted(each["request_ids"]) == sorted(request["request_id"] for request in both)
    assert "password" in failures[1]["message"]
    client.quire.freeze("processor-1")
    try:
        for request_id in failures[1]["request_ids"]:
            assert (await command(client, request_id, "retry", codes=["encrypted"])).status_code == 202
            await until(client, request_id, lambda request: request["status"] not in ENDED)
        [corrupt] = (await client.get("/api/failures", collection_id="reasons"))["items"]
        assert (corrupt["code"], corrupt["count"]) == ("corrupt", 4)
        assert corrupt["retriable"] <= 2  # those whose batch holds none that is retried
    finally:
        client.quire.thaw("processor-1")
    for request in both:
        await until(client, request["request_id"], lambda request: request["status"] in ENDED)


@pytest.mark.parametrize(
    ("first", "given", "name"),
    [
        ("a.pdf", {}, "a.pdf"),
        ("x/y/a.pdf", {}, "x"),
        ("a.pdf", {"name": "  Rechnungen \u202eMärz\n"}, "Rechnungen März"),
        ("a.pdf", {"name": "é" * 300}, "é" * 126 + "…"),
    ],
)
async def test_a_request_is_named_as_it_is_asked_for_or_after_its_folder_or_first_file(
    client: Client, first: str, given: dict[str, str], name: str
) -> None:
    answer = await client.submit([(first, simple_pdf()), ("z.pdf", simple_pdf())], collection_id="names", **given)
    request = await until(client, answer.json()["request_id"], lambda request: request["files"]["total"] == 2)
    assert request["name"] == name


async def test_a_file_says_when_it_came_into_work_and_how_long_it_took(client: Client) -> None:
    [batch_id] = await client.accepted([("a.pdf", simple_pdf(pages=40)), ("b.pdf", corrupt_pdf())], collection_id="times")
    batch = await client.ended(batch_id)
    for file in batch["files"]:
        assert batch["created_at"] <= file["started_at"] <= file["updated_at"]
        assert file["duration_ms"] >= 0
    told = [message for message in await client.feed("times") if message["type"] == "FILES_PROCESSED"]
    assert {message["file_id"]: message["duration_ms"] for message in told} == {
        file["file_id"]: file["duration_ms"] for file in batch["files"]
    }


async def test_what_is_read_is_told_soon_and_again_and_again(client: Client) -> None:
    """A signal of life comes each 15 s only."""
    [batch_id] = await client.accepted([("long.pdf", slow_pdf(pages=16_000))], collection_id="positions")
    pages: list[int] = []
    await client.until(batch_id, lambda batch: batch["status"] == "processing")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(pages) < 3:
            messages = (await client.get("/api/feed", batch_id=batch_id, limit=500))["items"]
            told = [message for message in messages if message["type"] == "BATCH_PROCESSING_PROGRESS"]
            pages = [position["page"] for message in told for position in message["in_flight"] if position["page"]]
            await asyncio.sleep(0.1)
    await client.command(batch_id, "cancel")
    assert pages == sorted(set(pages))


async def test_the_feed_of_a_batch_is_its_own_messages(client: Client) -> None:
    batch_ids = await client.accepted([(f"{number}.pdf", simple_pdf()) for number in range(8)], collection_id="feed")
    for batch_id in batch_ids:
        await client.ended(batch_id)
    whole = await client.feed("feed")
    for batch_id in batch_ids:
        mine, after = [], 0
        while after is not None:
            page = await client.get("/api/feed", batch_id=batch_id, after=after, limit=3)
            mine += page["items"]
            after = page["next_cursor"]
        assert mine == [message for message in whole if message["batch_id"] == batch_id]
    answer = await client.http.get(f"{client.quire.notifier_url}/api/feed", params={"batch_id": batch_ids[0], "epoch": "another"})
    assert (answer.status_code, answer.json()["code"]) == (410, "resync_required")


async def test_every_batch_of_an_upload_is_cancelled_and_retried_at_once(client: Client) -> None:
    client.quire.freeze("processor-1")
    try:
        answer = await client.submit([(f"{number}.pdf", simple_pdf()) for number in range(9)], collection_id="all")
        request_id = answer.json()["request_id"]
        await until(client, request_id, lambda request: request["batches"]["total"] == 3)
        cancelled = await command(client, request_id, "cancel", reason="wrong folder")
        assert cancelled.status_code == 202
        assert {each["status"] for each in cancelled.json()["batches"]} == {202}
        assert [each["batch_id"] for each in cancelled.json()["batches"]] == [
            batch["batch_id"] for batch in answer.json()["batches"]
        ]
        request = await until(client, request_id, lambda request: request["status"] == "cancelled")
        assert (request["files"]["cancelled"], request["ended_at"] is None) == (9, False)
        again = await command(client, request_id, "cancel")
        assert (again.status_code, again.json()["code"], len(again.json()["batches"])) == (409, "batch_ended", 3)
    finally:
        client.quire.thaw("processor-1")
    retried = await command(client, request_id, "retry")
    assert retried.status_code == 202
    request = await until(client, request_id, lambda request: request["status"] == "completed")
    assert request["files"]["processed"] == 9


async def test_a_retry_names_reasons_or_files_and_leaves_the_other_batches_alone(client: Client) -> None:
    request = await uploaded(client, folder(), collection_id="some")
    request_id = request["request_id"]
    none = await command(client, request_id, "retry", codes=["timeout"])
    assert (none.status_code, none.json()["code"]) == (409, "nothing_to_retry")
    some = await command(client, request_id, "retry", codes=["encrypted"])
    assert (some.status_code, len(some.json()["batches"])) == (202, 1)
    await until(client, request_id, lambda request: request["status"] in ENDED)
    files = (await client.get("/api/files", request_id=request_id, status="failed"))["items"]
    broken = next(file for file in files if file["original_filename"] == "broken.pdf")
    named = await command(client, request_id, "retry", file_ids=[broken["file_id"].upper()])
    assert [each["batch_id"] for each in named.json()["batches"]] == [broken["batch_id"]]
    unknown = await client.http.post(f"{client.quire.ingest_url}/api/requests/{uuid4()}/cancel", json={})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_the_text_of_an_upload_comes_as_lines_in_its_order_and_goes_on_from_any_of_them(client: Client) -> None:
    request = await uploaded(client, folder(), collection_id="lines")
    answer = await exported(client, request_id=request["request_id"])
    assert answer.headers["content-type"] == "application/jsonl"
    assert "march.text.jsonl" in answer.headers["content-disposition"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["path"] for line in lines] == [f"march/{number}.pdf" for number in range(7)]
    assert [page["text"].strip() for page in lines[3]["pages"]] == ["lighthouse3 1", "lighthouse3 2"]
    assert list(lines[0]) == ["file_id", "filename", "path", "batch_id", "page_count", "notices", "pages", "cursor"]
    for place in (0, 3, 6):
        rest = await exported(client, request_id=request["request_id"], cursor=lines[place]["cursor"])
        assert [json.loads(line) for line in rest.text.splitlines()] == lines[place + 1 :]
    assert (await exported(client, collection_id="lines")).text == answer.text
    batch = await exported(client, batch_id=lines[0]["batch_id"])
    assert batch.text.splitlines() == answer.text.splitlines()[: len(batch.text.splitlines())]


async def test_texts_and_originals_come_as_archives_with_a_name_for_each(client: Client) -> None:
    files = [("same.pdf", simple_pdf("one")), ("SAME.PDF", simple_pdf("two")), ("d/../a:b.pdf", simple_pdf("three"))]
    request = await uploaded(client, files, collection_id="zip", name="3/4")
    texts = ZipFile(io.BytesIO((await exported(client, request_id=request["request_id"], format="zip")).content))
    assert texts.testzip() is None
    assert texts.namelist() == ["same.txt", "SAME (2).txt", "d/a_b.txt"]
    assert texts.read("SAME (2).txt").strip() == b"two 1"
    originals = ZipFile(io.BytesIO((await exported(client, request_id=request["request_id"], kind="original")).content))
    assert [originals.read(name) for name in originals.namelist()] == [content for _, content in files]
    rows = ZipFile(io.BytesIO((await exported(client, collection_id="zip", kind="report", format="zip")).content))
    assert rows.namelist() == ["report.csv"]


async def test_a_report_has_every_field_of_every_file(client: Client) -> None:
    request = await uploaded(client, [*folder(), ("=1+1.pdf", simple_pdf())], collection_id="report")
    answer = await exported(client, request_id=request["request_id"], kind="report")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    views = (await client.get("/api/files", request_id=request["request_id"], limit=500))["items"]
    by_id = {view["file_id"]: view for view in views}
    assert all({name: line[name] for name in by_id[line["file_id"]]} == by_id[line["file_id"]] for line in lines)
    assert len(lines) == 10
    table = (await exported(client, request_id=request["request_id"], kind="report", format="csv")).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["file_id"] for row in rows] == [line["file_id"] for line in lines]
    assert {row["error_code"] for row in rows} == {"", "corrupt", "encrypted"}
    assert rows[-1]["original_filename"] == "'=1+1.pdf"
    cells = (await exported(client, request_id=request["request_id"], format="csv")).content.decode("utf-8-sig")
    pages = [(row["filename"], row["page"], row["text"].strip()) for row in csv.DictReader(io.StringIO(cells))]
    assert pages[:2] == [("0.pdf", "1", "lighthouse0 1"), ("0.pdf", "2", "lighthouse0 2")]
    assert len(pages) == 15


async def test_files_are_taken_out_by_their_ids_in_the_order_of_their_uploads(client: Client) -> None:
    await uploaded(client, folder(), collection_id="ids")
    files = (await client.get("/api/files", collection_id="ids", status="processed"))["items"]
    chosen = [file for file in files if file["original_filename"] in {"1.pdf", "3.pdf", "6.pdf"}]
    ids = [file["file_id"] for file in chosen]
    answer = await exported(client, file_id=",".join([*ids, ids[0].upper()]))
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["filename"] for line in lines] == ["1.pdf", "3.pdf", "6.pdf"]
    assert "3 files.text.jsonl" in answer.headers["content-disposition"]
    rest = await exported(client, file_id=",".join(ids), cursor=lines[0]["cursor"])
    assert [json.loads(line) for line in rest.text.splitlines()] == lines[1:]
    originals = ZipFile(io.BytesIO((await exported(client, file_id=ids[0], kind="original")).content))
    assert [originals.read(name) for name in originals.namelist()] == [dict(folder())[chosen[0]["path"]]]
    report = await client.http.get(
        f"{client.quire.notifier_url}/api/export", params=[("kind", "report"), *(("file_id", each) for each in ids)]
    )
    assert {json.loads(line)["file_id"] for line in report.text.splitlines()} == set(ids)
    link = (await client.get("/api/export/link", file_id=",".join(ids)))["link"]
    assert (await client.http.get(f"{client.quire.notifier_url}/{link}")).text == answer.text
    for params in ({"file_id": f"{ids[0]},{uuid4()}"}, {"file_id": ids[0], "collection_id": "elsewhere"}):
        gone = await client.http.get(f"{client.quire.notifier_url}/api/export", params=params)
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")


async def test_so_many_ids_fit_into_one_request(client: Client) -> None:
    ids = ",".join(str(uuid4()) for _ in range(500))
    answer = await client.http.get(f"{client.quire.notifier_url}/api/export", params={"file_id": ids})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"file_id": "a"}, "invalid_file_id"),
        ({"file_id": ""}, "invalid_file_id"),
        ({"file_id": ",".join(str(uuid4()) for _ in range(501))}, "invalid_file_id"),
        ({"file_id": str(uuid4()), "batch_id": str(uuid4())}, "invalid_export"),
        ({}, "invalid_export"),
        ({"collection_id": "a", "kind": "original", "format": "csv"}, "invalid_format"),
        ({"collection_id": "a", "kind": "pictures"}, "invalid_kind"),
        ({"collection_id": "a", "format": "zip", "cursor": "WyIyMDI2LTEx"}, "invalid_cursor"),
        ({"collection_id": "../a"}, "invalid_collection_id"),
        ({"batch_id": "a"}, "invalid_batch_id"),
    ],
)
async def test_what_cannot_be_exported_is_said(client: Client, params: dict[str, str], code: str) -> None:
    answer = await client.http.get(f"{client.quire.notifier_url}/api/export", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def found(client: Client, words: str, **params: Any) -> dict[str, Any]:
    """What is found once everything is indexed."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            page = await client.get("/api/files", q=words, **{"in": "text"}, **params)
            if page["unindexed"] == 0:
                return dict(page)
            await asyncio.sleep(0.1)


async def test_words_are_found_in_texts_with_their_pages(client: Client) -> None:
    request = await uploaded(client, folder(), collection_id="search")
    page = await found(client, "LIGHTHOUSE5", collection_id="search")
    [file] = page["items"]
    assert file["path"] == "march/5.pdf"
    assert [match["page"] for match in file["matches"]] == [1, 2]
    [match, _] = file["matches"]
    assert [match["snippet"][start:end] for start, end in match["hits"]] == ["lighthouse5"]
    both = await found(client, "lighthouse1 or lighthouse2", request_id=request["request_id"])
    assert [file["path"] for file in both["items"]] == ["march/1.pdf", "march/2.pdf"]
    first = await found(client, "1", collection_id="search", limit=3)
    rest = await found(client, "1", collection_id="search", limit=50, cursor=first["next_cursor"])
    assert [file["original_filename"] for file in first["items"] + rest["items"]] == [
        "4.pdf", "5.pdf", "6.pdf", "0.pdf", "1.pdf", "2.pdf", "3.pdf"
    ]  # fmt: skip
    assert (await found(client, "lighthouse5", collection_id="elsewhere"))["items"] == []
    assert (await found(client, "lighthouse5", collection_id="search", code="corrupt"))["items"] == []
    names = (await client.get("/api/files", q="LOCK", collection_id="search"))["items"]
    assert [file["original_filename"] for file in names] == ["locked.pdf"]


@pytest.mark.parametrize("words", ["-lighthouse", "!", "'", "&|()", '"', "<->", ":*"])
async def test_words_that_look_for_nothing_are_refused(client: Client, words: str) -> None:
    answer = await client.http.get(f"{client.quire.notifier_url}/api/files", params={"q": words, "in": "text"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_q")


async def test_a_rebuild_gives_the_same_requests_and_counts_and_finds_the_same_texts(client: Client) -> None:
    request = await uploaded(client, folder(), collection_id="rebuilt")
    retried = await command(client, request["request_id"], "retry")
    assert retried.status_code == 202
    await until(client, request["request_id"], lambda request: request["status"] in ENDED)
    await found(client, "lighthouse1")
    before, counts = await client.rows(SUMS), (await client.get("/api/collections", limit=500))["items"]
    texts = (await found(client, "lighthouse5"))["items"]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "quire_notifier", "rebuild"],
        env=client.quire.env(),
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert await client.rows(SUMS) == before
    after = (await client.get("/api/collections", limit=500))["items"]
    assert [each["files"] for each in after] == [each["files"] for each in counts]
    assert [file["matches"] for file in (await found(client, "lighthouse5"))["items"]] == [file["matches"] for file in texts]


async def test_answers_are_compressed_for_who_takes_that_but_streams_pdfs_and_exports(client: Client) -> None:
    collection = f"c{uuid4().hex[:8]}"
    request = await uploaded(
        client, [(f"{number}.pdf", simple_pdf(f"Page of {number} ", 40)) for number in range(4)], collection_id=collection
    )
    [file, *_] = (await client.get("/api/files", collection_id=collection))["items"]
    url, takes = client.quire.notifier_url, {"Accept-Encoding": "gzip"}
    packed = {
        path: (await client.http.get(f"{url}/{path}", headers=takes)).headers.get("content-encoding")
        for path in (
            f"api/files?collection_id={collection}",
            file["links"]["text"],
            "",
            file["links"]["original"],
            f"api/export?request_id={request['request_id']}",
        )
    }
    assert list(packed.values()) == ["gzip", "gzip", "gzip", None, None]
    plain = await client.http.get(f"{url}/{file['links']['text']}", headers={"Accept-Encoding": "identity"})
    compressed = await client.http.get(f"{url}/{file['links']['text']}", headers=takes)
    assert "content-encoding" not in plain.headers
    assert compressed.content == plain.content
    assert compressed.headers["etag"] == plain.headers["etag"]
    assert {"Accept", "Accept-Encoding"} <= set(compressed.headers["vary"].split(", "))
    async with client.http.stream("GET", f"{url}/api/collections/{collection}/events", headers=takes) as events:
        assert "content-encoding" not in events.headers
