"""Memory of ingest while a large upload passes through it, on a stack that `quire up` runs.

.venv/bin/python bench/upload.py [--data .quire] [--gigabytes 2]
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil

FILES = 8
CHUNK = bytes(1024 * 1024)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--gigabytes", type=float, default=2.0)
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    ingest = psutil.Process(stack["pids"]["ingest"])
    before, peak = ingest.memory_info().rss, 0
    began = time.monotonic()

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, ingest.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    async with httpx.AsyncClient(timeout=900, trust_env=False) as client:
        answer = await client.post(
            f"{stack['ingest_url']}/api/documents/process",
            params={"collection_id": "bench-upload"},
            content=body(int(options.gigabytes * 1000 / FILES)),
            headers={"Content-Type": "multipart/form-data; boundary=bench"},
        )
    watching.cancel()
    took = time.monotonic() - began
    mb = int(options.gigabytes * 1000 / FILES) * FILES * len(CHUNK) / 1e6
    accepted = answer.json()["accepted"]
    print(f"{answer.status_code}, {accepted} files, {mb:.0f} MB in {took:.1f} s ({mb / took:.0f} MB/s)")
    print(
        f"RSS of ingest: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most, {ingest.memory_info().rss / 1e6:.0f} MB after"
    )


async def body(chunks: int) -> AsyncIterator[bytes]:
    for number in range(FILES):
        yield f'--bench\r\nContent-Disposition: form-data; name="files"; filename="{number}.pdf"\r\n\r\n%PDF-1.7\n'.encode()
        for _ in range(chunks):
            yield CHUNK
        yield b"\r\n"
    yield b"--bench--\r\n"


if __name__ == "__main__":
    asyncio.run(main())
