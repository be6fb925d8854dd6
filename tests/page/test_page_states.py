"""Every state of the page, light and dark, before axe; and nothing from elsewhere, nothing inline."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect
from tests.integration.client import Client
from tests.page.browser import Visit, until
from tests.page.conftest import PDFS
from tests.samples_pdf import simple_pdf

pytestmark = pytest.mark.page

NAMES = ["Receipt.pdf", "Confidential.pdf", "Damaged on the way.pdf", "Empty page.pdf", "Handbook of the station.pdf"]

LONG = [
    f"{'a-name-that-does-not-end-' * 8}.pdf",
    "تقرير المحطة السنوي لعام ٢٠٢٦ — النسخة النهائية.pdf",
    "年度報告書 決算説明資料 最終版.pdf",
]


@pytest.fixture(scope="module")
async def batch(client: Client) -> AsyncIterator[str]:
    """Of the collection `states`: with everything that may stand in a row."""
    names = [*NAMES, *(path.name for path in sorted(PDFS.iterdir()) if not path.name.isascii())]
    files = [(name, (PDFS / name).read_bytes()) for name in names]
    files += [(name, simple_pdf("lantern", pages=3)) for name in LONG]
    [one] = await client.accepted(files, collection_id="states", name=f"تقرير {'upload that is called like no other ' * 6}")
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


async def search(visit: Visit, _batch: str) -> None:
    await until(lambda: _indexed(visit), "the texts are not indexed")
    await visit.open("/collections/states?q=lantern&in=text")
    await expect(visit.page.locator(".snippet mark").first).to_be_visible()


async def _indexed(visit: Visit) -> bool:
    asked = await visit.page.request.get(f"{visit.url}/api/files?collection_id=states&q=lantern&in=text")
    return len((await asked.json())["items"]) >= 3


async def viewer(visit: Visit, batch: str) -> None:
    await files(visit, batch)
    await visit.page.locator(".file-link", has_text="Handbook").click()
    await visit.page.get_by_label("Find in the text").fill("station")
    await expect(visit.page.locator("mark.here")).to_be_visible()


async def quire(visit: Visit, batch: str) -> None:
    await visit.open(f"/batches/{batch}")
    await expect(visit.page.locator(".log li").first).to_be_visible()


async def upload(visit: Visit, batch: str) -> None:
    view = await (await visit.page.request.get(f"{visit.url}/api/batches/{batch}")).json()
    await visit.open(f"/uploads/{view['request_id']}")
    await expect(visit.page.get_by_role("heading", name="Its quires")).to_be_visible()
    await expect(visit.page.locator(".file-link").first).to_be_visible()


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


STATES = [
    empty,
    files,
    selected,
    failed,
    nothing,
    search,
    viewer,
    quire,
    upload,
    row_menu,
    collections,
    options,
    help_shown,
    lost,
]


@pytest.mark.parametrize("scheme", ["light", "dark", "forced"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_axe_finds_nothing_wrong(visit: Visit, batch: str, state: object, scheme: str) -> None:
    colours = {"forced_colors": "active"} if scheme == "forced" else {"color_scheme": scheme}
    await visit.page.emulate_media(reduced_motion="reduce", **colours)  # type: ignore[arg-type]
    await state(visit, batch)  # type: ignore[operator]
    assert await visit.violations() == []
    visit.wrong = [wrong for wrong in visit.wrong if "INTERNET_DISCONNECTED" not in wrong]


@pytest.mark.parametrize("state", [files, viewer, failed, search, upload, quire], ids=lambda state: state.__name__)
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


async def test_a_name_that_is_cut_keeps_its_beginning_whichever_way_it_runs(visit: Visit, batch: str) -> None:
    """As far as it is seen: the first sign of each name lies within what it is cut by."""
    await visit.page.set_viewport_size({"width": 390, "height": 844})
    await quire(visit, batch)
    await visit.page.locator(".files-of a").filter(has=visit.page.get_by_title(LONG[1])).click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    name, sign, whole, seen = await visit.page.locator(".dialog-head h2 bdi").evaluate(SEEN)
    assert whole > seen
    assert name["left"] - 1 <= sign["left"] < sign["right"] <= name["right"] + 1


SEEN = """(name) => {
  const range = document.createRange();
  range.setStart(name.firstChild, 0);
  range.setEnd(name.firstChild, 1);
  return [name.getBoundingClientRect(), range.getBoundingClientRect(), name.scrollWidth, name.clientWidth];
}"""


WISHED = """
  globalThis.told = [];
  globalThis.Notification = class {
    static permission = "default";
    static requestPermission = async () => (Notification.permission = globalThis.answer);
    constructor(title, { body }) { told.push([title, body]); }
  };
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
"""


@pytest.mark.parametrize("answer", ["granted", "denied"])
async def test_who_wishes_it_is_told_of_an_uploads_end_if_the_browser_allows_it(
    visit: Visit, collection: str, answer: str
) -> None:
    await visit.page.add_init_script(f"globalThis.answer = '{answer}';{WISHED}")
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await visit.choose(PDFS / "Poster.pdf")
    await expect(visit.page.locator(".earlier")).to_contain_text("Poster.pdf")
    assert await visit.page.evaluate("told") == []
    await visit.button("Options").click()
    await visit.page.get_by_role("menuitemcheckbox", name="Tell me when an upload ends").click()
    if answer == "denied":
        await expect(visit.page.locator(".toast")).to_contain_text("shows no notifications")
    await visit.choose(PDFS / "Receipt.pdf")
    await expect(visit.page.locator(".earlier")).to_contain_text("Receipt.pdf")
    await expect(visit.page.locator("p[role=status]")).to_contain_text("Receipt.pdf has ended: 1 done.")
    expected = [["Receipt.pdf has ended", "Receipt.pdf has ended: 1 done."]] if answer == "granted" else []
    assert await visit.page.evaluate("told") == expected
