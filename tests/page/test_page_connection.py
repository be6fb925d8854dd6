"""The page where the connection is lost, the server hangs, or no WebSocket gets through; and at addresses of any age."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.integration.client import Client, serving
from tests.integration.fronts import passing
from tests.integration.stack import Quire, Stack
from tests.page.browser import Browser, Visit, visiting
from tests.page.conftest import PDFS

pytestmark = pytest.mark.page

Made = Callable[..., Path]
RECEIPT = ("Receipt.pdf", (PDFS / "Receipt.pdf").read_bytes())


async def test_a_notifier_that_is_killed_is_found_again_and_nothing_is_missed(browser: Browser, stack: Stack) -> None:
    async with serving(stack) as client, visiting(browser, client.quire.notifier_url) as visit:
        await client.ended((await client.accepted([RECEIPT]))[0])
        await visit.open("/")
        await visit.live()
        await client.quire.kill("notifier")
        await expect(visit.page.locator(".top .pill")).to_contain_text("Reconnecting")
        [batch] = await client.accepted([("Poster.pdf", (PDFS / "Poster.pdf").read_bytes())])
        await client.quire.start("notifier")
        await visit.live()
        await client.ended(batch)
        await expect(visit.page.locator(".earlier .lines li")).to_have_count(2)


async def test_a_notifier_that_hangs_is_noticed_and_is_live_again_when_it_is(browser: Browser, stack: Stack) -> None:
    async with serving(stack) as client, visiting(browser, client.quire.notifier_url) as visit:
        await visit.open("/")
        await visit.live()
        client.quire.freeze("notifier")
        await expect(visit.page.locator(".top .pill")).to_contain_text("Reconnecting")
        client.quire.thaw("notifier")
        await visit.live()


async def test_offline_is_said_and_over_at_once(visit: Visit, collection: str) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await visit.page.context.set_offline(True)
    await expect(visit.page.locator(".top .pill")).to_contain_text("Offline")
    await visit.page.context.set_offline(False)
    await visit.live()
    visit.wrong.clear()


Passing = Callable[[bytes, bytes], bytes | None]
"""From a request's path and its head to the path that Quire is asked for; None: refused with a page of HTML."""


@asynccontextmanager
async def fronted(browser: Browser, stack: Stack, to: Passing, below: str = "") -> AsyncIterator[Visit]:
    """A page of a Quire that is behind a proxy."""
    behind: list[Quire] = []

    def route(head: bytes) -> tuple[bytes, str] | None:
        method, path, rest = head.split(b" ", 2)
        passed = to(path, head)
        url = behind[0].ingest_url if method == b"POST" else behind[0].notifier_url
        return None if passed is None else (b" ".join((method, passed, rest)), url)

    async with passing(route) as url:
        settings = {"QUIRE_INGEST_URL": "", "QUIRE_ORIGINS": url, "QUIRE_TRUSTED_PROXIES": "127.0.0.1"}
        async with serving(stack, settings=settings) as client, visiting(browser, url + below) as visit:
            behind.append(client.quire)
            yield visit


@pytest.mark.parametrize(("sse", "said"), [(True, "Live, by events"), (False, "Live, every 2 s")])
async def test_where_no_websocket_gets_through_it_follows_all_the_same(
    browser: Browser, stack: Stack, *, sse: bool, said: str
) -> None:
    def to(path: bytes, head: bytes) -> bytes | None:
        return None if b"upgrade: websocket" in head.lower() or (b"/events" in path and not sse) else path

    async with fronted(browser, stack, to) as visit:
        await visit.open("/")
        await expect(visit.page.locator(".top .pill")).to_have_text(said)
        await visit.choose(PDFS / "Receipt.pdf")
        await expect(visit.row("Receipt.pdf")).to_contain_text("Done")


async def test_it_works_below_a_path(browser: Browser, stack: Stack) -> None:
    def to(path: bytes, _head: bytes) -> bytes | None:
        return path.removeprefix(b"/quire") if path.startswith(b"/quire/") else None

    async with fronted(browser, stack, to, "/quire") as visit:
        await visit.open("/collections/below")
        await visit.live()
        await visit.choose(PDFS / "Receipt.pdf")
        await expect(visit.row("Receipt.pdf")).to_contain_text("Done")
        await visit.page.locator(".earlier a").click()
        await visit.page.locator(".quires.all .quire").click()
        await expect(visit.page.get_by_role("heading", level=1)).to_contain_text("Quire ")
        assert "/quire/batches/" in visit.page.url
        await visit.page.reload()
        await expect(visit.page.get_by_role("heading", level=1)).to_contain_text("Quire ")
        await visit.page.get_by_role("img", name=re.compile("1 done")).first.wait_for()
        assert visit.wrong == []


async def test_a_batch_of_any_age_is_shown_with_what_happened_to_it(visit: Visit, client: Client, collection: str) -> None:
    [first] = await client.accepted([RECEIPT], collection_id=collection)
    for _ in range(3):
        await client.accepted([RECEIPT], collection_id=collection)
    await client.ended(first)
    await visit.open(f"/batches/{first}")
    await expect(visit.page.locator(".log")).to_contain_text(re.compile("Accepted: 1 file.*Started.*Done in", re.DOTALL))
    await expect(visit.page.locator(".crumbs")).to_contain_text(collection)
    await visit.page.locator(".files-of a").click()
    await expect(visit.page.get_by_role("dialog")).to_contain_text("Receipt.pdf")


@pytest.mark.parametrize("path", ["/batches/00000000-0000-5000-8000-000000000000", "/batches/nonsense", "/uploads/nonsense"])
async def test_what_is_not_there_is_said_so_with_a_way_back(visit: Visit, path: str) -> None:
    await visit.open(path)
    await expect(visit.page.get_by_role("alert")).to_contain_text("There is no such")
    await visit.link("Back to the files").click()
    await visit.live()
    visit.wrong.clear()  # the 404


@pytest.mark.parametrize("path", ["/collections/a%20b", "/collections/neverseen", "/nothing", "/collections/%E0%A4%A"])
async def test_no_address_breaks_the_page(visit: Visit, path: str) -> None:
    await visit.page.goto(visit.url + path)
    assert not any("error:" in wrong and "status of 4" not in wrong for wrong in visit.wrong)
    visit.wrong.clear()


async def test_a_file_that_is_not_there_is_said_so(visit: Visit, collection: str) -> None:
    await visit.open(f"/collections/{collection}?file=00000000-0000-5000-8000-000000000000")
    await expect(visit.page.get_by_role("dialog")).to_contain_text("There is no such file")
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    visit.wrong.clear()


async def test_rows_are_true_although_they_could_not_be_fetched(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted(made(3, slow=80, name="slow").iterdir())]
    [batch] = await client.accepted(files, collection_id=collection)
    await visit.open(f"/collections/{collection}")
    await expect(visit.page.locator(".file-link")).to_have_count(3)
    await visit.page.route(re.compile(r"/api/files\?"), lambda route: route.abort())
    await client.ended(batch)
    await expect(visit.page.locator(".files .pill.processed")).to_have_count(3)
    await visit.page.unroute(re.compile(r"/api/files\?"))
    await expect(visit.page.locator(".files img.picture")).to_have_count(3)
    visit.wrong.clear()
