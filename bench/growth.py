"""What each file leaves behind: bytes in Postgres, the bucket and the log after the PDFs of a directory went through a stack that
`quire up` runs. Prints a table. Nothing else may use the stack meanwhile.

    .venv/bin/python bench/growth.py samples/pdfs [--data .quire] [--times 10]
"""

import argparse
import asyncio
import json
from pathlib import Path

import asyncpg
import httpx
from batch import ended, submit

SETTLED_SECONDS = 2.0
PER_REQUEST = 100
TABLES = """
SELECT nspname AS name, sum(pg_total_relation_size(pg_class.oid))::bigint AS bytes
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname IN ('processor', 'notifier') GROUP BY nspname
"""
"""With their indexes, and with what vacuum has not given back yet."""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pdfs", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    pdfs = [(path.name, path.read_bytes()) for path in sorted(options.pdfs.rglob("*.pdf"))] * options.times
    before, batches = await stored(stack["postgres"], options.data), []
    async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
        for first in range(0, len(pdfs), PER_REQUEST):
            batches += (await submit(client, stack, pdfs[first : first + PER_REQUEST], "growth"))["batches"]
        files = [file for batch in batches for file in (await ended(client, stack, batch["batch_id"]))["files"]]
    await asyncio.sleep(SETTLED_SECONDS)
    after = await stored(stack["postgres"], options.data)
    processed = [file for file in files if file["processing_status"] == "processed"]
    pages, characters = (sum(file[name] or 0 for file in processed) for name in ("pages_read", "characters"))
    print(f"{len(files)} files, {len(processed)} processed: {pages} pages, {characters / pages:.0f} characters each")
    for name, size in after.items():
        gained = size - before[name]
        print(
            f"  {name:<20} {gained / 1e6:6.1f} MB, {gained / len(files) / 1e3:.1f} kB a file, {gained / pages / 1e3:.2f} a page"
        )


async def stored(postgres: str, data: Path) -> dict[str, int]:
    """Bytes, by who has them."""
    connection = await asyncpg.connect(postgres)
    try:
        tables = {f"Postgres, {row['name']}": row["bytes"] for row in await connection.fetch(TABLES)}
    finally:
        await connection.close()
    bucket = data / "s3" / "data" / "quire"
    objects = {f"bucket, {prefix}": under(bucket / prefix, "*") for prefix in ("originals", "artefacts", "manifests", "requests")}
    return {**tables, **objects, "log": under(data / "kafka" / "data", "quire.batches-*/*.log")}


def under(directory: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in directory.rglob(pattern) if path.is_file())


if __name__ == "__main__":
    asyncio.run(main())
