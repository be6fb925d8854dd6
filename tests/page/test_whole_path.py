"""From nothing to the text of one's own files, and what a person does on the way."""

from __future__ import annotations

import csv
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Download, expect
from tests.integration.client import Client
from tests.page.browser import Visit, until
from tests.page.conftest import PDFS
from tests.processor.test_notices import WORDS, several

Made = Callable[..., Path]


async def test_sixty_files_among_them_a_corrupt_one_an_encrypted_one_and_one_without_text(
    visit: Visit, collection: str, made: Made
) -> None:
    folder = made(57)
    for name in ("Confidential.pdf", "Damaged on the way.pdf", "Empty page.pdf"):
        shutil.copy(PDFS / name, folder)
    await visit.open(f"/collections/{collection}")
    await expect(visit.page.get_by_role("heading", name="Drop PDFs anywhere")).to_be_visible()
    await visit.choose(folder)
    await expect(visit.page.locator(".earlier")).to_contain_text("2 of 60 failed", timeout=60_000)
    tabs = visit.page.get_by_role("navigation", name="Files")
    await expect(tabs).to_have_text(re.compile(r"All\s*60\s*Working\s*0\s*Waiting\s*0\s*Done\s*58\s*Failed\s*2"))
    await tabs.get_by_role("link", name="Failed").click()
    await expect(visit.page.get_by_role("heading", name="Why files failed")).to_be_visible()
    await expect(visit.row("Confidential.pdf")).to_contain_text("Protected by a password")
    assert await visit.violations() == []
    await tabs.get_by_role("link", name="All").click()
    await visit.page.get_by_label("Search names").first.fill("empty")
    await visit.row("Empty page.pdf").locator(".file-link").click()
    viewer = visit.page.get_by_role("dialog")
    await expect(viewer.locator(".notice.warn").first).to_be_visible()
    await expect(viewer.get_by_role("img")).to_be_visible()
    await visit.page.emulate_media(color_scheme="dark")
    assert await visit.violations() == []
    await visit.page.keyboard.press("Escape")
    await expect(viewer).to_have_count(0)
    assert "q=empty" in visit.page.url


async def test_the_text_is_read_by_page_with_find_and_taken_as_a_file(visit: Visit, client: Client, collection: str) -> None:
    handbook = PDFS / "Handbook of the station.pdf"
    [batch] = await client.accepted([(handbook.name, handbook.read_bytes())], collection_id=collection)
    await client.ended(batch)
    await visit.open(f"/collections/{collection}")
    await visit.page.locator(".file-link").click()
    viewer = visit.page.get_by_role("dialog")
    await viewer.get_by_label("Find in the text").fill("station")
    await expect(viewer.get_by_role("status")).to_have_text(re.compile(r"^1 of \d{2,}$"))
    await visit.page.keyboard.press("Enter")
    await expect(viewer.get_by_role("status")).to_have_text(re.compile(r"^2 of"))
    async with visit.page.expect_download() as download:
        await viewer.get_by_role("button", name="Text as a file").click()
    file = await download.value
    assert file.suggested_filename == "Handbook of the station.txt"
    assert "Handbook of the station" in Path(await file.path()).read_text("utf-8")


@pytest.mark.page
async def test_of_a_file_with_a_page_that_cannot_be_read_it_is_shown_how_many_were(
    visit: Visit, client: Client, collection: str
) -> None:
    broken = several(WORDS, WORDS, WORDS).replace(b" 6 0 R ", b"[6 0 R]")
    [batch] = await client.accepted([("broken.pdf", broken)], collection_id=collection)
    await client.ended(batch)
    await visit.open(f"/collections/{collection}")
    await visit.page.locator(".file-link").click()
    viewer = visit.page.get_by_role("dialog")
    pages = viewer.locator(".facts-list div").filter(has=visit.page.get_by_text("Pages", exact=True))
    await expect(pages.locator("dd")).to_have_text("2 of 3 read")
    await expect(viewer.locator(".notice.warn")).to_have_count(1)


async def test_many_files_are_taken_as_one_archive(visit: Visit, client: Client, collection: str) -> None:
    names = ["Receipt.pdf", "Poster.pdf", "Timetable.pdf"]
    [batch] = await client.accepted([(name, (PDFS / name).read_bytes()) for name in names], collection_id=collection)
    await client.ended(batch)
    await visit.open(f"/collections/{collection}")
    await visit.page.get_by_label("Select all that are listed").check()
    await expect(visit.page.get_by_role("toolbar")).to_contain_text("3 selected")
    async with visit.page.expect_download() as download:
        await visit.page.get_by_role("toolbar").get_by_role("button", name="PDFs").click()
    archive = Path(await (await download.value).path())
    target = archive.with_suffix(".d")
    shutil.unpack_archive(archive, target, "zip")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {name: (PDFS / name).read_bytes() for name in names}


async def test_words_are_found_in_texts_and_shown_where_they_stand(visit: Visit, client: Client, collection: str) -> None:
    names = ["Handbook of the station.pdf", "Receipt.pdf"]
    [batch] = await client.accepted([(name, (PDFS / name).read_bytes()) for name in names], collection_id=collection)
    await client.ended(batch)
    await until(lambda: _found(client, collection, "quarry meadow"), "the words are not found")
    await visit.open(f"/collections/{collection}")
    await visit.page.get_by_label("Search names").first.fill('"quarry meadow"')
    await expect(visit.page.get_by_text("No file is called")).to_be_visible()
    await visit.link("Search the texts").click()
    row = visit.row("Handbook of the station.pdf")
    await expect(row.locator(".snippet")).to_contain_text("page ")
    await expect(row.locator("mark").first).to_be_visible()
    await expect(visit.row("Receipt.pdf")).to_have_count(0)
    await row.locator(".file-link").click()
    await expect(visit.page.get_by_role("dialog").locator("mark.here")).to_have_text("quarry meadow")


async def _found(client: Client, collection: str, words: str) -> bool:
    return bool((await client.get("/api/files", collection_id=collection, q=words, **{"in": "text"}))["items"])


async def test_all_of_an_upload_is_one_download(visit: Visit, client: Client, collection: str) -> None:
    names = ["Receipt.pdf", "Poster.pdf", "Confidential.pdf"]
    [batch] = await client.accepted([(name, (PDFS / name).read_bytes()) for name in names], collection_id=collection)
    view = await client.ended(batch)
    await visit.open(f"/uploads/{view['request_id']}")
    await expect(visit.page.locator(".crumbs")).to_have_text(collection)
    await expect(visit.page.locator(".file-link")).to_have_text(names)
    await visit.button("Download").click()
    async with visit.page.expect_download() as download:
        await visit.page.get_by_role("menuitem", name="Text, a file for each").click()
    with zipfile.ZipFile(await (await download.value).path()) as archive:
        assert archive.namelist() == ["Receipt.txt", "Poster.txt"]
    await visit.button("Download").click()
    async with visit.page.expect_download() as download:
        await visit.page.get_by_role("menuitem", name="Report").click()
    report = Path(await (await download.value).path()).read_text("utf-8-sig")
    assert [row["error_code"] for row in csv.DictReader(report.splitlines())] == ["", "", "encrypted"]


async def test_an_upload_is_listed_as_it_was_sent_however_many_quires_it_is(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted(made(130).iterdir())]
    batches = await client.accepted(files, collection_id=collection)
    for batch in batches:
        request_id = (await client.ended(batch))["request_id"]
    await visit.open(f"/uploads/{request_id}")
    names = visit.page.locator(".file-link")
    await expect(names.first).to_have_text(files[0][0])

    async def last() -> bool:
        await visit.page.keyboard.press("End")
        return await names.last.text_content() == files[-1][0]

    async def first() -> bool:
        await visit.page.keyboard.press("Home")
        return await names.first.text_content() == files[0][0]

    await until(last, "more are shown as a person scrolls")
    await until(first, "the first are there again")


async def test_what_failed_in_several_uploads_is_grouped_and_retried_by_its_reason(
    visit: Visit, client: Client, collection: str
) -> None:
    files = [(name, (PDFS / name).read_bytes()) for name in ("Damaged on the way.pdf", "Confidential.pdf", "Receipt.pdf")]
    for _ in range(2):
        [batch] = await client.accepted(files, collection_id=collection)
        await client.ended(batch)
    await visit.open(f"/collections/{collection}?status=failed")
    groups = visit.page.locator(".failures li")
    await expect(groups).to_have_count(2)
    encrypted = groups.filter(has_text="password")
    await expect(encrypted.locator("b")).to_have_text("2")
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    await encrypted.get_by_role("button", name="Retry these 2").click()
    await until(lambda: _retried(client, collection), "not every upload was retried")
    assert len({url for url in asked if url.endswith("/retry")}) == 2
    await expect(encrypted.get_by_role("button", name="Retry these 2")).to_be_visible()


async def _retried(client: Client, collection: str) -> bool:
    """The batch of each upload a second time, to its end."""
    batches = (await client.get("/api/batches", collection_id=collection))["items"]
    return all(batch["generation"] == 1 and batch["ended_at"] for batch in batches)


async def test_very_many_files_are_taken_as_several_archives(visit: Visit, client: Client, collection: str, made: Made) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted(made(160).iterdir())]
    for batch in await client.accepted(files, collection_id=collection):
        await client.ended(batch)
    await visit.open(f"/collections/{collection}?sort=name")
    await expect(visit.page.get_by_text("That is all: 160 files.")).to_have_count(1)
    await visit.page.get_by_label("Select all that are listed").check()
    await expect(visit.page.get_by_role("toolbar")).to_contain_text("160 selected")
    downloads: list[Download] = []
    visit.page.on("download", lambda download: downloads.append(download))  # noqa: PLW0108 -- playwright takes no builtin
    await visit.page.get_by_role("toolbar").get_by_role("button", name="Text").click()
    await expect(visit.page.locator(".toast")).to_contain_text("2 downloads")
    await until(lambda: _all(downloads, 2), "both archives are to come")
    names: list[str] = []
    for download in downloads:
        with zipfile.ZipFile(await download.path()) as archive:
            names += archive.namelist()
    assert sorted(names) == [name.replace(".pdf", ".txt") for name, _ in files]


async def _all(downloads: list[Download], count: int) -> bool:
    return len(downloads) == count


async def test_files_that_are_to_fail_together_do_and_are_retried_together(visit: Visit, client: Client, collection: str) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await visit.button("Options").click()
    await visit.page.get_by_role("menuitemradio", name="Its whole quire fails").click()
    await visit.page.keyboard.press("Escape")
    await visit.choose(PDFS / "Damaged on the way.pdf", PDFS / "Receipt.pdf")
    earlier = visit.page.locator(".earlier")
    await expect(earlier.locator(".pill")).to_have_text("Failed")
    await expect(visit.row("Receipt.pdf")).to_contain_text("Another file of its quire failed")
    await earlier.get_by_role("button", name="Retry 2").click()
    await until(lambda: _attempts(client, collection, 2), "it was not read again")
    await expect(earlier.locator(".pill")).to_have_text("Failed")


async def _attempts(client: Client, collection: str, count: int) -> bool:
    [batch] = (await client.get("/api/batches", collection_id=collection))["items"]
    return bool(batch["attempt"] == count and batch["ended_at"])


async def test_a_retry_and_a_cancel_show_the_truth_at_once_and_after_a_reload(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted(made(4, slow=80, name="slow").iterdir())]
    damaged = PDFS / "Damaged on the way.pdf"
    [batch] = await client.accepted([(damaged.name, damaged.read_bytes()), *files], collection_id=collection)
    await client.until(batch, lambda view: view["failed"] == 1)
    await visit.open(f"/batches/{batch}")
    await visit.button("Cancel the rest").first.click()
    await visit.page.get_by_role("dialog").get_by_role("button", name=re.compile("^Cancel ")).click()
    head = visit.page.locator(".page-head")
    await expect(head).to_contain_text("Cancelled")
    await visit.page.reload()
    await expect(head).to_contain_text("Cancelled")
    cancelled = visit.page.locator(".files-of .pill.cancelled")
    await until(lambda: _some(cancelled.count()), "no file of it is said to be cancelled")
    await visit.button("Retry", exact=False).first.click()
    await expect(head).not_to_contain_text("Cancelled")
    await expect(cancelled).to_have_count(0)
    await client.ended(batch)
    await expect(head).to_contain_text("Done, some failed")
    await visit.page.reload()
    await expect(head).to_contain_text("Done, some failed")
    await expect(visit.page.locator(".files-of .pill.failed")).to_have_count(1)


async def _some(count: object) -> bool:
    return bool(await count)  # type: ignore[misc]


async def test_what_is_chosen_stands_in_the_address(visit: Visit, client: Client, collection: str) -> None:
    names = ["Invoice 1047.pdf", "Invoice 1048.pdf", "Confidential.pdf", "Poster.pdf"]
    [batch] = await client.accepted([(name, (PDFS / name).read_bytes()) for name in names], collection_id=collection)
    await client.ended(batch)
    await visit.open(f"/collections/{collection}?status=done&q=invoice&sort=name")
    rows = visit.page.locator(".file-link")
    await expect(rows).to_have_text(["Invoice 1047.pdf", "Invoice 1048.pdf"])
    await visit.page.get_by_role("combobox").select_option("size")
    await visit.page.reload()
    await expect(rows).to_have_count(2)
    assert "sort=size" in visit.page.url
    await visit.page.get_by_label("Search names").first.fill("%")
    await expect(visit.page.get_by_text("No file is called “%”")).to_be_visible()
    await visit.page.go_back()
    await expect(rows).to_have_count(2)
