"""`make screenshots`: pictures of the page of a running Quire in each of its states, light and dark, wide and narrow.

ARGS="--url http://127.0.0.1:8000 --out screenshots". It uploads the samples to collections of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from tests.page.browser import Visit, browsing, expect, visiting
from tests.page.conftest import PDFS

SIZES = {"1440": (1440, 900), "390": (390, 844), "320": (320, 640)}
COLLECTION = f"march-scans-{uuid4().hex[:4]}"


async def empty(visit: Visit) -> None:
    await visit.open("/collections/an-empty-one")
    await expect(visit.page.get_by_role("heading", name="Drop PDFs anywhere")).to_be_visible()


async def working(visit: Visit) -> None:
    await visit.open(f"/collections/{COLLECTION}")
    await visit.live()
    await visit.choose(PDFS)
    await expect(visit.page.locator(".pill.processing, .pill.processed").first).to_be_visible()


async def files(visit: Visit) -> None:
    await visit.open(f"/collections/{COLLECTION}")
    await expect(visit.page.locator(".files img").first).to_be_visible()


async def failed(visit: Visit) -> None:
    await visit.open(f"/collections/{COLLECTION}?status=failed")
    await expect(visit.page.get_by_role("heading", name="Why files failed")).to_be_visible()


async def viewer(visit: Visit) -> None:
    await visit.open(f"/collections/{COLLECTION}?q=handbook")
    await visit.page.locator(".file-link", has_text="Handbook").first.click()
    await visit.page.get_by_label("Find in the text").fill("station")
    await expect(visit.page.locator("mark.here")).to_be_visible()


async def upload(visit: Visit) -> None:
    await files(visit)
    narrow = visit.page.locator(".now-bar")
    if await narrow.count():
        await narrow.click()
    await visit.page.locator(".earlier a").first.click()
    if await visit.page.get_by_role("dialog").count():
        await visit.page.keyboard.press("Escape")
    await expect(visit.page.get_by_role("heading", name="Its quires")).to_be_visible()


async def quire(visit: Visit) -> None:
    await upload(visit)
    await visit.page.locator(".quires.all .quire").first.click()
    await expect(visit.page.locator(".log li").first).to_be_visible()


async def keys(visit: Visit) -> None:
    await files(visit)
    await visit.page.keyboard.press("?")
    await expect(visit.page.get_by_role("dialog")).to_be_visible()


STATES: tuple[Callable[[Visit], Awaitable[None]], ...] = (working, files, empty, failed, viewer, upload, quire, keys)


async def take(url: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    async with browsing() as browser:
        for name, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                for state in STATES:
                    async with visiting(browser, url, width=width, height=height, color_scheme=scheme) as visit:
                        await state(visit)
                        await visit.page.wait_for_timeout(600)  # for pictures, and for what moves
                        await visit.page.screenshot(path=out / f"{state.__name__}-{scheme}-{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=re.split(r"\n", __doc__ or "")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    given = parser.parse_args()
    asyncio.run(take(given.url, given.out))


if __name__ == "__main__":
    main()
