"""How the page keeps up in a real browser, on a stack that `quire up` runs: first paint, bytes of JavaScript, the longest task
while 2,000 files are chosen, the longest frame while 2,000 rows are scrolled and 10 messages a second come, and how many of 40
slow presses on Cancel take effect meanwhile.

    .venv/bin/python bench/page.py [--data .quire]

Of the task while choosing, most is the browser's own: it makes 2,000 files of what was chosen. The rows are of 2,000 files that
are uploaded first, the messages of a batch that there is not: the processor would take the browser's time.
"""

import argparse
import asyncio
import gzip
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from playwright.async_api import WebSocketRoute, expect
from tests.page.browser import Visit, browsing, visiting
from tests.samples_pdf import simple_pdf

FILES = 2_000
BATCH = 25
EVERY_SECONDS = 0.1
PRESSES = 40
SCROLL_SECONDS = 8
WATCH = """
    window.longest = { task: 0, frame: 0 };
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) longest.task = Math.max(longest.task, entry.duration);
    }).observe({ type: "longtask", buffered: true });
    window.frames_ = () => {
      let last = performance.now();
      const step = (now) => { longest.frame = Math.max(longest.frame, now - last); last = now; requestAnimationFrame(step); };
      longest.frame = 0;
      requestAnimationFrame((now) => { last = now; requestAnimationFrame(step); });
    };
"""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    stack = json.loads((parser.parse_args().data / "stack.json").read_text())
    collection = f"bench-page-{uuid4().hex[:6]}"
    with tempfile.TemporaryDirectory() as folder:
        for number in range(FILES):
            (Path(folder) / f"scan-{number:04}.pdf").write_bytes(simple_pdf(f"Scan {number}"))
        async with browsing() as browser, visiting(browser, stack["notifier_url"]) as visit:
            await visit.page.add_init_script(WATCH)
            told("first paint, ms", await painted(visit, collection))
            told("JavaScript, bytes gzipped", await script_bytes(stack["notifier_url"]))
            told("longest task while choosing, ms", await chosen(visit, Path(folder)))
            await ended(stack["notifier_url"], collection)
        async with browsing() as browser, visiting(browser, stack["notifier_url"]) as visit:
            await visit.page.add_init_script(WATCH)
            async with messages(visit, collection):
                told("longest frame while scrolling, ms", await scrolled(visit))
                told(f"presses of {PRESSES} that took effect", await pressed(visit))
                told("longest task meanwhile, ms", await visit.page.evaluate("longest.task"))


def told(what: str, value: float) -> None:
    print(f"  {what:<36} {value:10,.0f}")


async def painted(visit: Visit, collection: str) -> float:
    await visit.open(f"/collections/{collection}")
    await visit.live()
    return float(await visit.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


async def script_bytes(url: str) -> int:
    async with httpx.AsyncClient(base_url=url) as client:
        page = (await client.get("/")).text
        names = [part.split('"')[0] for part in page.split('src="')[1:]]
        return sum([len(gzip.compress((await client.get(f"/{name}")).content)) for name in names])


async def chosen(visit: Visit, folder: Path) -> float:
    await visit.page.evaluate("longest.task = 0")
    await visit.choose(folder)
    await expect(visit.page.locator(".sending").first).to_contain_text("accepted", timeout=300_000)
    return float(await visit.page.evaluate("longest.task"))


async def ended(url: str, collection: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        while (await client.get("/api/collections", params={"collection_id": collection})).json()["items"][0]["active"]:
            await asyncio.sleep(1)


@asynccontextmanager
async def messages(visit: Visit, collection: str) -> AsyncIterator[None]:
    """The page of the collection, which is told of one batch more, again and again."""
    heard: asyncio.Queue[tuple[WebSocketRoute, int]] = asyncio.Queue()

    def routed(page: WebSocketRoute) -> None:
        server = page.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            page.send(text)
            frame = json.loads(text)
            if frame["type"] == "SUBSCRIBED":
                heard.put_nowait((page, frame["seq"]))

        server.on_message(pass_on)

    await visit.page.route_web_socket("**/ws", routed)
    await visit.open(f"/collections/{collection}")
    page, seq = await heard.get()
    telling = asyncio.create_task(tell(page, seq, collection))
    try:
        yield
    finally:
        telling.cancel()


async def tell(page: WebSocketRoute, seq: int, collection: str) -> None:
    batch, request, names = str(uuid4()), str(uuid4()), [f"told-{number:02}.pdf" for number in range(BATCH)]
    files = [{"file_id": str(uuid4()), "filename": name, "size": 2_000} for name in names]

    def say(kind: str, **fields: Any) -> None:
        nonlocal seq
        seq += 1
        head = {"type": kind, "collection_id": collection, "seq": seq, "batch_id": batch, "at": datetime.now(UTC).isoformat()}
        page.send(json.dumps(head | fields))

    say("BATCH_CREATED", files=files, request_id=request, request_name="told")
    say("BATCH_PROCESSING_STARTED", attempt=1, total=BATCH)
    for count in range(1_000_000):
        file = files[count % (BATCH - 1)]  # one of them never ends, so the batch does not
        position = {
            "file_id": file["file_id"],
            "filename": file["filename"],
            "stage": "extracting",
            "page": count % 40,
            "pages": 40,
        }
        counts = {"processed": count % (BATCH - 1), "failed": 0, "total": BATCH}
        if count % 2:
            say("FILES_PROCESSED", file_id=file["file_id"], filename=file["filename"], status="processed", page_count=40)
        else:
            say("BATCH_PROCESSING_PROGRESS", stage="heartbeat", in_flight=[position], **counts)
        await asyncio.sleep(EVERY_SECONDS)


async def scrolled(visit: Visit) -> float:
    """Once all rows are there: up and down."""
    rows = f"tr[data-index='{FILES - 1}']"
    while not await visit.page.locator(rows).count():
        await visit.page.mouse.move(500, 600)
        await visit.page.mouse.wheel(0, 20_000)
        await asyncio.sleep(0.2)
    await visit.page.evaluate("longest.task = 0; frames_()")
    end = asyncio.get_running_loop().time() + SCROLL_SECONDS
    while asyncio.get_running_loop().time() < end:
        await visit.page.mouse.wheel(0, -700)
        await asyncio.sleep(0.05)
    return float(await visit.page.evaluate("longest.frame"))


async def pressed(visit: Visit) -> int:
    cancel, dialog, took = visit.button("Cancel the rest"), visit.page.get_by_role("dialog"), 0
    for _ in range(PRESSES):
        await visit.press(cancel)
        took += await dialog.count()
        await visit.press(dialog.get_by_role("button", name="Go on reading"))
        await expect(dialog).to_have_count(0)
    return took


if __name__ == "__main__":
    asyncio.run(main())
