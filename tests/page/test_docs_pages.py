"""The pages at /docs: for everybody, on every screen, and without a script."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.integration.client import Client
from tests.page.browser import Browser, Visit, visiting

pytestmark = pytest.mark.page

PAGES = ["/docs", "/docs/events"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
async def test_axe_finds_nothing_wrong(visit: Visit, path: str, scheme: str) -> None:
    await visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await visit.open(path)
    assert await visit.violations() == []


@pytest.mark.parametrize("path", PAGES)
async def test_it_is_read_on_a_phone_and_without_scripts(browser: Browser, client: Client, path: str) -> None:
    async with visiting(browser, client.quire.notifier_url, width=320, height=640, java_script_enabled=False) as visit:
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.url))
        await visit.open(path)
        await visit.no_wider_than_the_screen()
        await expect(visit.page.get_by_role("heading", level=1)).to_be_visible()
        background = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background != "rgba(0, 0, 0, 0)", "the style has come"
        assert all(url.startswith(client.quire.notifier_url) for url in asked)


async def test_the_page_leads_there_and_the_pages_to_each_other(visit: Visit) -> None:
    await visit.open("/")
    await visit.button("Help").click()
    await visit.link("HTTP").click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Quire over HTTP")
    await visit.link("Events and messages").click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Quire's events and messages")
    await visit.link("BATCH_CREATED").first.click()
    await expect(visit.page.get_by_role("heading", name="BATCH_CREATED")).to_be_in_viewport()
    await visit.link("Quire").first.click()
    await expect(visit.button("Help")).to_be_visible()
