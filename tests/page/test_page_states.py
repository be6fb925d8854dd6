"""Every state of the page, light and dark, before axe; and nothing from elsewhere, nothing inline."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect
from tests.integration.client import Client
from tests.page.browser import Visit
from tests.page.conftest import PDFS

pytestmark = pytest.mark.page

NAMES = ["Receipt.pdf", "Confidential.pdf", "Damaged on the way.pdf", "Empty page.pdf", "Handbook of the station.pdf"]


@pytest.fixture(scope="module")
async def batch(client: Client) -> AsyncIterator[str]:
    """Of the collection `states`: with everything that may stand in a row."""
    names = [*NAMES, *(path.name for path in sorted(PDFS.iterdir()) if not path.name.isascii())]
    [one] = await client.accepted([(name, (PDFS / name).read_bytes()) for name in names], collection_id="states")
    await client.ended(one)
    return one


async def empty(visit: Visit, _batch: str) -> None:
    await visit.open("/collections/an-empty-one")
    await expect(visit.page.get_by_role("heading", name="Drop PDFs anywhere")).to_be_visible()


async def files(visit: Visit, _batch: str) -> None:
    await visit.open("/collections/states")
    await expect(visit.row("Receipt.pdf")).to_be_visible()
    await expect(visit.page.locator(".earlier, .now-bar")).to_be_visible()


async def selected(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.page.get_by_label("Select all that are listed").check()
    await expect(visit.page.get_by_role("toolbar")).to_be_visible()


async def failed(visit: Visit, _batch: str) -> None:
    await visit.open("/collections/states?status=failed")
    await expect(visit.page.get_by_role("heading", name="Why files failed")).to_be_visible()


async def nothing(visit: Visit, _batch: str) -> None:
    await visit.open("/collections/states?q=zzz")
    await expect(visit.page.get_by_text("No file is called")).to_be_visible()


async def viewer(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.page.locator(".file-link", has_text="Handbook").click()
    await visit.page.get_by_label("Find in the text").fill("station")
    await expect(visit.page.locator("mark.here")).to_be_visible()


async def quire(visit: Visit, batch: str) -> None:
    await visit.open(f"/batches/{batch}")
    await expect(visit.page.locator(".log li").first).to_be_visible()


async def upload(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.page.locator(".earlier a").first.click()
    await expect(visit.page.get_by_role("heading", name="Its quires")).to_be_visible()


async def row_menu(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.button("More for Receipt.pdf").click()
    await expect(visit.page.get_by_role("menu")).to_be_visible()


async def collections(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.page.locator(".collection").click()
    await expect(visit.page.get_by_role("menuitem", name="states")).to_be_visible()


async def options(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.button("Options").click()
    await expect(visit.page.get_by_role("menuitemradio").first).to_be_visible()


async def help_shown(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.button("Help").click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()


async def lost(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.page.context.set_offline(True)
    await expect(visit.page.locator(".top .pill")).to_contain_text("Offline")


STATES = [empty, files, selected, failed, nothing, viewer, quire, upload, row_menu, collections, options, help_shown, lost]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_axe_finds_nothing_wrong(visit: Visit, batch: str, state: object, scheme: str) -> None:
    await visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    await state(visit, batch)  # type: ignore[operator]
    assert await visit.violations() == []
    visit.wrong = [wrong for wrong in visit.wrong if "INTERNET_DISCONNECTED" not in wrong]


@pytest.mark.parametrize("state", [files, viewer, failed], ids=lambda state: state.__name__)
async def test_axe_finds_nothing_wrong_on_a_phone(visit: Visit, batch: str, state: object) -> None:
    await visit.page.set_viewport_size({"width": 320, "height": 640})
    await state(visit, batch) if state is not files else await phone(visit)  # type: ignore[operator]
    assert await visit.violations() == []
    await visit.no_wider_than_the_screen()


async def phone(visit: Visit) -> None:
    await visit.open("/collections/states")
    await visit.page.locator(".now-bar").click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()


async def test_nothing_comes_from_elsewhere_and_the_policy_allows_nothing_inline(
    visit: Visit, client: Client, batch: str
) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    await viewer(visit, batch)
    here = client.quire.notifier_url
    assert [url for url in asked if not url.startswith((here, "blob:"))] == []
    policy = (await client.http.get(here)).headers["content-security-policy"]
    assert "'unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")


async def test_a_name_is_text_whatever_it_says(visit: Visit, client: Client, collection: str) -> None:
    name = "<img src=x onerror=alert(1)>.pdf"
    [one] = await client.accepted([(name, (PDFS / "Receipt.pdf").read_bytes())], collection_id=collection)
    await client.ended(one)
    await visit.open(f"/collections/{collection}")
    await expect(visit.row("onerror")).to_be_visible()
    assert await visit.page.locator("img[src=x]").count() == 0
