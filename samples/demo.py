"""Submits the samples to the Quire that runs and checks every outcome: exit code 0 when all is as it has to be.

make demo
.venv/bin/python samples/demo.py --url http://127.0.0.1:8000
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec

from quire_schemas.views import Accepted, BatchView

SAMPLES = Path(__file__).parent / "pdfs"
STACK = Path(".quire/stack.json")
FAILING = {"Damaged on the way.pdf": "corrupt", "Confidential.pdf": "encrypted"}
SIZES = [25, 2]
PATIENCE_SECONDS = 120.0
COLLECTION = "samples"


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=None, help="the notifier's address; default: QUIRE_URL, or the stack that runs here")
    url = (parser.parse_args().url or os.environ.get("QUIRE_URL") or running() or "http://127.0.0.1:8000").rstrip("/")
    try:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            batches = await processed(client, url)
    except (httpx.HTTPError, TimeoutError) as error:
        return said([f"{url}: {str(error) or 'the batches did not end in time'}. Start Quire with `make run` first"])
    for batch in batches:
        sys.stdout.write(
            f"{batch.batch_id}  {batch.status:<21} {batch.processed:>2} processed, {batch.failed} failed of {batch.total}\n"
        )
    return said(differences(batches))


def running() -> str | None:
    """The address of the stack that runs in this directory."""
    return msgspec.json.decode(STACK.read_bytes(), type=dict)["notifier_url"] if STACK.is_file() else None


async def processed(client: httpx.AsyncClient, url: str) -> list[BatchView]:
    """The batches of a new submission, after their end."""
    ingest = (await client.get(f"{url}/api/config")).raise_for_status().json()["ingest_url"] or url
    files = [("files", (path.name, path.read_bytes(), "application/pdf")) for path in sorted(SAMPLES.glob("*.pdf"))]
    answer = await client.post(
        f"{ingest}/api/documents/process",
        params={"collection_id": COLLECTION},
        files=files,
        headers={"Idempotency-Key": str(uuid4())},
    )
    accepted = msgspec.json.decode(answer.raise_for_status().content, type=Accepted)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [await ended(client, f"{url}/api/batches/{batch.batch_id}") for batch in accepted.batches]


async def ended(client: httpx.AsyncClient, url: str) -> BatchView:
    while True:
        answer = await client.get(url)
        if answer.status_code == httpx.codes.OK:  # at first the batch may not be projected yet
            batch = msgspec.json.decode(answer.content, type=BatchView)
            if batch.ended_at is not None:
                return batch
        await asyncio.sleep(0.2)


def differences(batches: list[BatchView]) -> list[str]:
    """What is not as it has to be, a sentence each."""
    found = []
    if sizes := [batch.total for batch in batches if [batch.total for batch in batches] != SIZES]:
        found.append(f"there should be batches of {SIZES} files, there are some of {sizes}")
    files = [file for batch in batches for file in batch.files or []]
    for file in files:
        code = FAILING.get(file.original_filename)
        wanted = "processed" if code is None else "failed"
        if (file.processing_status, file.error_code) != (wanted, code):
            outcome = f"{file.processing_status} ({file.error_code})"
            found.append(f"{file.original_filename} should be {wanted} ({code}), it is {outcome}")
    if missing := FAILING.keys() - {file.original_filename for file in files}:
        found.append(f"these samples are missing: {', '.join(sorted(missing))}")
    processed = sum(batch.processed for batch in batches)
    if processed != sum(SIZES) - len(FAILING):
        found.append(f"{sum(SIZES) - len(FAILING)} files should be processed, {processed} are")
    if any(batch.processed + batch.failed + batch.cancelled != batch.total for batch in batches):
        found.append("the counts of a batch do not add up to its total")
    return found


def said(problems: list[str]) -> int:
    sys.stderr.write("".join(f"{problem}.\n" for problem in problems))
    if not problems:
        sys.stdout.write("All as it has to be: 2 batches, 25 files processed, the corrupt and the encrypted one failed.\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
