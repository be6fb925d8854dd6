"""Uploads from the page: dropped, stopped, broken off, taken up again; several at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.page.browser import Browser, Visit, until, visiting
from tests.page.conftest import PDFS

pytestmark = pytest.mark.page

Made = Callable[..., Path]
SLOW_BYTES_PER_S = 60_000


async def slowly(visit: Visit, rate: int = SLOW_BYTES_PER_S) -> None:
    session = await visit.page.context.new_cdp_session(visit.page)
    await session.send("Network.enable")
    limits = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": rate}
    await session.send("Network.emulateNetworkConditions", limits)


def big(folder: Path, count: int, size: int = 20_000) -> Path:
    """PDFs that take a while to be sent."""
    for number, path in enumerate(sorted(folder.iterdir())[:count]):
        path.write_bytes(path.read_bytes() + b"%" + bytes([65 + number % 26]) * size)
    return folder


async def test_a_drop_says_what_it_will_do_and_never_opens_a_file(visit: Visit, collection: str) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    session = await visit.page.context.new_cdp_session(visit.page)
    data = {"items": [], "files": [str(PDFS / "Receipt.pdf")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver"):
        await session.send("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 20, "data": data})
    await expect(visit.page.locator(".overlay")).to_contain_text(f"Into the collection {collection}")
    await session.send("Input.dispatchDragEvent", {"type": "drop", "x": 700, "y": 20, "data": data})
    await expect(visit.page.locator(".overlay")).to_have_count(0)
    await expect(visit.row("Receipt.pdf")).to_contain_text("Done")
    assert visit.page.url.endswith(collection)


async def test_a_dropped_folder_is_read_at_any_depth_and_names_the_upload(visit: Visit, collection: str, tmp_path: Path) -> None:
    deep = tmp_path / "harbour" / "1931" / "ledgers"
    deep.mkdir(parents=True)
    (deep / "Receipt.pdf").write_bytes((PDFS / "Receipt.pdf").read_bytes())
    (deep / "notes.txt").write_text("no PDF")
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await visit.drop(tmp_path / "harbour")
    await expect(visit.row("Receipt.pdf")).to_contain_text("harbour/1931/ledgers")
    rejected = visit.page.locator(".rejected")
    await rejected.locator("summary").click()
    await expect(rejected).to_contain_text("Does not look like a PDF.")


async def test_two_uploads_go_on_beside_each_other(visit: Visit, collection: str, made: Made) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await slowly(visit)
    await visit.drop(big(made(12, name="march"), 12))
    await visit.drop(big(made(12, name="april"), 12))
    cards = visit.page.locator(".side .card .sending")
    await expect(cards).to_have_count(2)
    await visit.link("Failed").click()
    await expect(cards).to_have_count(2)
    await slowly(visit, -1)
    await expect(visit.page.locator(".earlier .lines li")).to_have_count(2)
    await expect(visit.page.locator(".earlier .pill.processed")).to_have_count(2)


async def test_stop_asks_what_becomes_of_what_is_accepted_and_cancels_it_if_told_so(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await slowly(visit, 300_000)
    await visit.drop(big(made(75, slow=80), 75))
    await expect(visit.page.locator(".sending")).to_contain_text(re.compile(r"[1-9]\d* of 75 files accepted"))
    await visit.button("Stop").click()
    dialog = visit.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("accepted already")
    await dialog.get_by_role("button", name="Stop, and cancel what is accepted").click()
    await expect(visit.page.locator(".sending")).to_contain_text("they were cancelled")
    await until(lambda: _none_active(client, collection), "what was accepted of a stopped upload runs on")
    batches = (await client.get("/api/batches", collection_id=collection))["items"]
    assert {batch["status"] for batch in batches} == {"cancelled"}


async def _none_active(client: Client, collection: str) -> bool:
    batches = (await client.get("/api/batches", collection_id=collection))["items"]
    return bool(batches) and all(batch["ended_at"] for batch in batches)


async def test_a_reload_in_mid_upload_loses_nothing_and_doubles_nothing(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    folder = big(made(60), 60)
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await slowly(visit, 150_000)
    await visit.choose(folder)
    await expect(visit.page.locator(".sending")).to_contain_text(re.compile(r"25 of 60 files accepted"))
    warned: list[str] = []

    async def leave(dialog: object) -> None:
        warned.append(dialog.type)  # type: ignore[attr-defined]
        await dialog.accept()  # type: ignore[attr-defined]

    visit.page.on("dialog", leave)
    await visit.page.mouse.click(500, 500)
    await visit.page.reload()
    assert warned == ["beforeunload"]
    await slowly(visit, -1)
    await expect(visit.page.locator(".side")).to_contain_text("scans was interrupted")
    async with visit.page.expect_file_chooser() as chooser:
        await visit.button("Choose the folder again").click()
    await (await chooser.value).set_files(folder)
    await expect(visit.page.locator(".earlier")).to_contain_text("Done")
    files = (await client.get("/api/files", collection_id=collection, limit=500))["items"]
    assert sorted(file["original_filename"] for file in files) == sorted(path.name for path in folder.iterdir())
    await visit.page.reload()
    await visit.live()
    await expect(visit.page.locator(".side")).not_to_contain_text("interrupted")
    visit.wrong.clear()  # the request that the reload ended


async def test_an_upload_of_other_files_does_not_pass_for_the_interrupted_one(visit: Visit, collection: str, made: Made) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await slowly(visit, 20_000)
    await visit.choose(big(made(4, name="mine"), 4))
    await expect(visit.page.locator(".sending")).to_contain_text("Stop")
    visit.page.on("dialog", lambda dialog: dialog.accept())
    await visit.page.reload()
    async with visit.page.expect_file_chooser() as chooser:
        await visit.button("Choose the folder again").click()
    await (await chooser.value).set_files(made(4, name="other"))
    await expect(visit.page.locator(".sending")).to_contain_text("4 files of the upload are not among these")
    await visit.button("Forget it").click()
    await expect(visit.page.locator(".sending")).to_have_count(0)
    visit.wrong.clear()


async def test_limits_are_known_before_anything_is_sent(browser: Browser, stack: Stack, made: Made) -> None:
    async with (
        serving(stack, settings={"QUIRE_MAX_FILES": "20"}) as client,
        visiting(browser, client.quire.notifier_url) as visit,
    ):
        await visit.open("/")
        await visit.live()
        await visit.choose(made(30))
        await expect(visit.page.get_by_role("alert")).to_contain_text("These are 30 files; an upload takes 20.")
        assert (await client.get("/api/batches"))["items"] == []


async def test_a_proxy_that_takes_no_such_size_is_named_as_one(visit: Visit, collection: str) -> None:
    await visit.page.route(
        "**/api/documents/process**",
        lambda route: route.fulfill(
            status=413, body="<h1>413</h1>", headers={"Content-Type": "text/html", "Access-Control-Allow-Origin": visit.url}
        ),
    )
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await visit.choose(PDFS / "Receipt.pdf")
    await expect(visit.page.get_by_role("alert")).to_contain_text("such as a proxy, takes no upload of this size (413)")
    visit.wrong.clear()


async def test_ingest_killed_in_mid_upload_is_tried_again_by_itself(browser: Browser, stack: Stack, made: Made) -> None:
    async with serving(stack) as client, visiting(browser, client.quire.notifier_url) as visit:
        await visit.open("/")
        await visit.live()
        await slowly(visit, 300_000)
        folder = big(made(60), 60)
        await visit.choose(folder)
        await expect(visit.page.locator(".sending")).to_contain_text(re.compile(r"25 of 60 files accepted"))
        await client.quire.kill("ingest")
        await expect(visit.page.locator(".sending")).to_contain_text("Trying again")
        await client.quire.start("ingest")
        await slowly(visit, -1)
        await expect(visit.page.locator(".earlier")).to_contain_text("Done")
        assert len((await client.get("/api/files", limit=500))["items"]) == 60


async def test_two_thousand_files_are_chosen_checked_and_accepted(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    folder = made(2000)
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await visit.choose(folder)
    await until(lambda: _accepted(client, collection, 2000), "they were not all accepted")
    await expect(visit.page.get_by_role("navigation", name="Files")).to_contain_text(re.compile(r"All\s*2,000"))
    await visit.button("Cancel the rest").click()
    await visit.page.get_by_role("dialog").get_by_role("button", name=re.compile("^Cancel ")).click()
    await expect(visit.page.locator(".earlier")).to_contain_text("Cancelled")
    await visit.page.mouse.wheel(0, 20_000)
    await until(lambda: _rows_beyond(visit, 100), "no further rows came while scrolling")
    await asyncio.sleep(0)


async def _accepted(client: Client, collection: str, count: int) -> bool:
    batches = (await client.get("/api/batches", collection_id=collection, limit=500))["items"]
    return sum(batch["total"] for batch in batches) == count


async def _rows_beyond(visit: Visit, index: int) -> bool:
    return bool(
        await visit.page.evaluate(
            "index => [...document.querySelectorAll('tr[data-index]')].some(r => +r.dataset.index > index)", index
        )
    )
