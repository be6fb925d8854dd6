"""`make screenshots`: pictures of the page of a running Quire in each of its states, light and dark, wide and narrow.

ARGS="--url http://127.0.0.1:8000 --out screenshots --only working --sizes 1440". It uploads to collections of its own:
for each picture of what works, the samples in a folder for each of some years, and a ledger that takes long in each.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from tests.page.browser import Visit, browsing, expect, visiting
from tests.page.conftest import PDFS
from tests.samples_pdf import slow_pdf

SIZES = {"1440": (1440, 900), "390": (390, 844), "320": (320, 640)}
YEARS = range(1924, 1932)
LEDGER_PAGES = 600
made: list[str] = []
"""Collections, the last one of which the other pictures show."""


async def empty(visit: Visit) -> None:
    await visit.open("/collections/an-empty-one")
    await expect(visit.page.get_by_role("heading", name="Drop PDFs anywhere")).to_be_visible()


def archive(folder: Path) -> Path:
    """A folder as people have them."""
    for year in YEARS:
        place = folder / "scans-2026-03" / str(year)
        place.mkdir(parents=True)
        for path in sorted(PDFS.glob("*.pdf")):
            shutil.copy(path, place)
        (place / f"Harbour ledger {year}.pdf").write_bytes(slow_pdf(f"Harbour ledger {year}", LEDGER_PAGES))
    return folder / "scans-2026-03"


async def working(visit: Visit) -> None:
    made.append(f"march-scans-{uuid4().hex[:4]}")
    await visit.open(f"/collections/{made[-1]}?sort=name")
    await visit.live()
    with tempfile.TemporaryDirectory() as folder:
        await visit.choose(archive(Path(folder)))
        await expect(visit.page.locator(".file-link").first).to_be_visible()
        await expect(visit.page.locator(".sending")).to_have_count(0)
    bar = visit.page.locator(".bar .processed").first
    await expect(bar).not_to_have_attribute("style", re.compile(r"flex-grow: \d?\d;"))


async def files(visit: Visit) -> None:
    await visit.open(f"/collections/{made[-1]}")
    await visit.live()
    await expect(visit.page.locator(".files img").first).to_be_visible()


async def failed(visit: Visit) -> None:
    await visit.open(f"/collections/{made[-1]}?status=failed")
    await expect(visit.page.get_by_role("heading", name="Why files failed")).to_be_visible()


async def viewer(visit: Visit) -> None:
    await visit.open(f"/collections/{made[-1]}?q=handbook")
    await visit.page.locator(".file-link", has_text="Handbook").first.click()
    await visit.page.get_by_label("Find in the text").fill("station")
    await expect(visit.page.locator("mark.here")).to_be_visible()


async def search(visit: Visit) -> None:
    await visit.open(f"/collections/{made[-1]}?q=lantern+harbour&in=text")
    await expect(visit.page.locator(".snippet mark").first).to_be_visible()


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


STATES: tuple[Callable[[Visit], Awaitable[None]], ...] = (working, files, empty, failed, search, viewer, upload, quire, keys)


async def take(url: str, out: Path, only: str, sizes: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    states = [state for state in STATES if state.__name__ in only.split(",") or not only]
    async with browsing() as browser:
        for name, (width, height) in [(name, SIZES[name]) for name in sizes.split(",")]:
            for scheme in ("light", "dark"):
                for state in states:
                    async with visiting(browser, url, width=width, height=height, color_scheme=scheme) as visit:
                        await state(visit)
                        await visit.page.wait_for_timeout(600)  # for pictures, and for what moves
                        await visit.page.screenshot(path=out / f"{state.__name__}-{scheme}-{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=re.split(r"\n", __doc__ or "")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--only", default="", help="states, with commas: working is the first, and what the others show")
    parser.add_argument("--sizes", default=",".join(SIZES))
    given = parser.parse_args()
    asyncio.run(take(given.url, given.out, given.only, given.sizes))


if __name__ == "__main__":
    main()
