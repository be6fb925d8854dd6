"""From nothing to the text of one's own files, and what a person does on the way."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.async_api import expect
from tests.integration.client import Client
from tests.page.browser import Visit, until
from tests.page.conftest import PDFS

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
    await tabs.get_by_role("link", name="All").click()
    await visit.page.get_by_label("Search names").first.fill("empty")
    await visit.row("Empty page.pdf").locator(".file-link").click()
    viewer = visit.page.get_by_role("dialog")
    await expect(viewer.locator(".notice.warn").first).to_be_visible()
    await expect(viewer.get_by_role("img")).to_be_visible()
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


async def test_a_retry_and_a_cancel_show_the_truth_at_once_and_after_a_reload(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted(made(4, slow=True, name="slow").iterdir())]
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
    await expect(visit.page.get_by_text("No file matches “%”.")).to_be_visible()
    await visit.page.go_back()
    await expect(rows).to_have_count(2)
