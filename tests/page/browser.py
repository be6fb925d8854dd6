"""A real browser in front of the page: pages that write down what went wrong in them, drops, slow presses."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, async_playwright, expect

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
PRESS_MS = 120
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    """Its path, or no test."""
    found = os.environ.get("QUIRE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium here (Debian: apt install chromium): THE PAGE WAS NOT TRIED IN A BROWSER")
    return found


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


class Visit:
    """A page, and what its console and its errors said."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.wrong: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.set_default_timeout(PATIENCE_MS)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text} ({message.location['url']})")

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    def button(self, name: str, **more: Any) -> Locator:
        return self.page.get_by_role("button", name=name, **more)

    def link(self, name: str, **more: Any) -> Locator:
        return self.page.get_by_role("link", name=name, **more)

    def row(self, name: str) -> Locator:
        return self.page.get_by_role("row").filter(has_text=name)

    async def live(self) -> None:
        await expect(self.page.locator(".top .pill")).to_have_text("Live", timeout=PATIENCE_MS)

    async def choose(self, *paths: Path) -> None:
        """As by the button: files; of a folder, all that is in it."""
        where = "#choose-folder" if paths[0].is_dir() else "#choose-files"
        await self.page.set_input_files(where, [str(path) for path in paths])

    async def drop(self, *paths: Path, at: tuple[int, int] = (200, 300)) -> None:
        session = await self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}

        async def drag(kind: str) -> None:
            await session.send("Input.dispatchDragEvent", {"type": kind, "x": at[0], "y": at[1], "data": data})

        await drag("dragEnter")
        await drag("dragOver")
        await expect(self.page.locator(".overlay")).to_be_visible()
        await drag("dragOver")  # the page has said by now that it takes them
        await drag("drop")
        await expect(self.page.locator(".overlay")).to_have_count(0)

    async def press(self, what: Locator) -> None:
        """As a person does: down, and up a while later, at the same place."""
        box = await what.bounding_box()
        assert box is not None
        await self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await self.page.mouse.down()
        await asyncio.sleep(PRESS_MS / 1000)
        await self.page.mouse.up()

    async def violations(self) -> list[str]:
        """What axe finds wrong."""
        if not await self.page.evaluate("typeof axe === 'object'"):
            await self.page.evaluate(AXE.read_text("utf-8"))
        found = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html'][:160]} {node['failureSummary']}" for one in found["violations"] for node in one["nodes"]
        ]

    async def no_wider_than_the_screen(self) -> None:
        width = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], width


@asynccontextmanager
async def visiting(browser: Browser, url: str, *, width: int = 1440, height: int = 900, **context: Any) -> AsyncIterator[Visit]:
    """A page of a browser that knows nothing yet."""
    where: BrowserContext = await browser.new_context(viewport={"width": width, "height": height}, **context)
    try:
        yield Visit(await where.new_page(), url)
    finally:
        await where.close()


async def until(what: Callable[[], Awaitable[bool]], why: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while not await what():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(why) from None


__all__ = ["ROOT", "Browser", "Error", "Visit", "browsing", "expect", "until", "visiting"]
