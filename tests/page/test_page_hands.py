"""Under a person's hands: slow presses while messages come, the keyboard alone, a phone; focus and scroll stay."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.integration.client import Client
from tests.page.browser import Browser, Visit, visiting
from tests.page.conftest import PDFS

pytestmark = pytest.mark.page

Made = Callable[..., Path]
PRESSES = 12


async def test_a_slow_press_on_cancel_always_takes_effect_while_messages_come(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    files = [(path.name, path.read_bytes()) for path in sorted(made(60, slow=600).iterdir())]
    asking = asyncio.create_task(client.accepted(files, collection_id=collection))
    cancel = visit.button("Cancel the rest")
    dialog = visit.page.get_by_role("dialog")
    await cancel.wait_for()
    batches = await asking
    for _ in range(PRESSES):
        await visit.press(cancel)
        await expect(dialog).to_be_visible(timeout=5000)
        await visit.press(dialog.get_by_role("button", name="Go on reading"))
        await expect(dialog).to_have_count(0)
    await visit.press(cancel)
    await visit.press(dialog.get_by_role("button", name=re.compile("^Cancel [0-9]")))
    await expect(visit.page.locator(".earlier")).to_contain_text("Cancelled")
    views = [await client.ended(batch) for batch in batches]
    assert "cancelled" in {view["status"] for view in views}
    visit.wrong = [wrong for wrong in visit.wrong if "409" not in wrong]  # a batch may end before its cancel comes


async def test_focus_scroll_and_selected_text_stay_while_files_come(
    visit: Visit, client: Client, collection: str, made: Made
) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted(made(120).iterdir())]
    for batch in await client.accepted(files, collection_id=collection):
        await client.ended(batch)
    await visit.open(f"/collections/{collection}")
    await expect(visit.page.locator(".file-link").first).to_be_visible()
    await visit.page.mouse.move(500, 500)
    await visit.page.mouse.wheel(0, 3000)
    link = visit.page.locator("tr[data-index='50'] .file-link")
    await link.focus()
    before = await visit.page.evaluate("[scrollY, document.activeElement.href]")
    for batch in await client.accepted(files[:60], collection_id=collection):
        await client.ended(batch)
    await expect(visit.button("60 new")).to_be_visible()
    assert await visit.page.evaluate("[scrollY, document.activeElement.href]") == before
    await visit.button("60 new").click()
    await expect(visit.button("60 new")).to_have_count(0)
    await expect(visit.page.get_by_role("navigation", name="Files")).to_contain_text(re.compile(r"All\s*180"))


async def test_everything_is_done_with_the_keyboard_alone(visit: Visit, client: Client, collection: str) -> None:
    names = ["Receipt.pdf", "Poster.pdf", "Timetable.pdf"]
    [batch] = await client.accepted([(name, (PDFS / name).read_bytes()) for name in names], collection_id=collection)
    await client.ended(batch)
    await visit.open(f"/collections/{collection}")
    await expect(visit.page.locator(".file-link")).to_have_count(3)
    press = visit.page.keyboard.press
    await press("Tab")
    await expect(visit.link("Skip to the files")).to_be_focused()
    await press("Enter")
    for key in "jjk":
        await press(key)
        await asyncio.sleep(0.1)
    await expect(visit.page.locator(".file-link").nth(0)).to_be_focused()
    await press("x")
    await expect(visit.page.get_by_role("toolbar")).to_contain_text("1 selected")
    await press("Enter")
    dialog = visit.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Receipt.pdf")
    await press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(visit.page.locator(".file-link").nth(0)).to_be_focused()
    await press("/")
    await visit.page.keyboard.type("poster")
    await expect(visit.page.locator(".file-link")).to_have_text(["Poster.pdf"])
    await press("Escape")
    await expect(visit.page.locator(".file-link")).to_have_count(3)
    await press("?")
    await expect(dialog).to_contain_text("What a sheet says")
    await press("Escape")
    await expect(dialog).to_have_count(0)
    async with visit.page.expect_file_chooser():
        await press("u")
    menu = visit.button(re.compile("^Collection:"))  # type: ignore[arg-type]
    await menu.focus()
    await press("Enter")
    await expect(visit.page.get_by_label("Find or name a collection")).to_be_focused()
    await visit.page.keyboard.type("a-new-one")
    await press("Enter")
    await expect(visit.page.get_by_role("heading", name="Drop PDFs anywhere")).to_be_visible()


async def test_a_phone_shows_list_first_and_now_at_the_foot(
    browser: Browser, client: Client, collection: str, made: Made
) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted(made(60, slow=80, name="slow").iterdir())]
    async with visiting(browser, client.quire.notifier_url, width=320, height=640, has_touch=True, is_mobile=True) as visit:
        await visit.open(f"/collections/{collection}")
        await visit.live()
        await visit.no_wider_than_the_screen()
        await client.accepted(files, collection_id=collection)
        bar = visit.page.locator(".now-bar")
        await expect(bar).to_contain_text(re.compile(r"\d+ of 60"))
        await expect(visit.page.locator(".file-link").first).to_be_visible()
        await visit.no_wider_than_the_screen()
        await bar.tap()
        dialog = visit.page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Cancel the rest").tap()
        await visit.page.get_by_role("button", name=re.compile("^Cancel [0-9]")).tap()
        await expect(dialog).to_contain_text("Cancelled")
        await visit.page.keyboard.press("Escape")
        await visit.page.locator(".file-link").first.tap()
        await expect(dialog).to_be_visible()
        await visit.no_wider_than_the_screen()


async def test_the_end_of_an_upload_is_announced_with_its_numbers(visit: Visit, collection: str) -> None:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    await visit.choose(PDFS / "Damaged on the way.pdf", PDFS / "Receipt.pdf")
    said = visit.page.locator("p[role=status]")
    await expect(said).to_contain_text("has ended: 1 done, 1 failed.")
    await expect(visit.page).to_have_title(f"{collection} · Quire")
