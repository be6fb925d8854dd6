"""How long a search in texts takes, on a stack that `quire up` runs, and how large its index is: files with texts in six
languages, whose words come as often as words do (Zipf), nine of ten in one collection and the others in a small one.

    .venv/bin/python bench/search.py [--data .quire] [--files 100000] [--rounds 20] [--keep]

Files and pages are written into the notifier's tables as if they had been processed and indexed, and removed afterwards, unless
--keep: then the next run finds them.
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import httpx

from quire_notifier.indexing.segments import indexed
from quire_notifier.projecting import tables
from quire_notifier.projecting.fold import fold
from quire_schemas.events import BatchCompleted, BatchCreated, BatchStarted, Event, EventData, FileProcessed, FileSpec, event_of

LARGE, SMALL = "bench-search", "bench-search-small"
SHARE = 10
"""One file of so many is in the small collection."""
BATCH, AT_ONCE = 25, 1_000
PAGES = (1, 3)
PREFIX = "artefacts/bench-search/"
CONFIG = "simple"
ALPHABETS = {
    "latin": "etaoinshrdlcumwfgypbvk",
    "accents": "enisratduhlcgmobwfkzäöüßéèçñ",
    "cyrillic": "оеаинтсрвлкмдпуяыьгзбчй",
    "greek": "αοιετσνηυρπκμλωςγδβχθφ",
    "arabic": "اليمونرتبةعدسفهكقأح",
}
FIRST_HAN, HAN = 0x4E00, 3_000
VOCABULARY, SENTENCES, SENTENCE_WORDS, PAGE_SENTENCES = 40_000, 4_000, 25, 10


class Language(NamedTuple):
    """Words, the most frequent first, and sentences that hold them as often as that."""

    words: Sequence[str]
    sentences: Sequence[str]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    chance = random.Random(1)  # noqa: S311 -- the same each time
    languages = [language(alphabet, chance) for alphabet in [*ALPHABETS.values(), ""]]
    connection = await asyncpg.connect(stack["postgres"], server_settings={"search_path": "notifier"})
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM batch WHERE collection_id = $1)", LARGE):
            await written(connection, options.files, languages, chance)
        await sizes(connection)
        async with httpx.AsyncClient(timeout=600, trust_env=False) as http:
            await measured(http, stack["notifier_url"], languages, options.rounds)
    finally:
        if not options.keep:
            await removed(connection)
        await connection.close()


def language(alphabet: str, chance: random.Random) -> Language:
    """Words of letters, or, without an alphabet, Chinese ones: one or two characters each, and no blanks between them."""
    if alphabet:
        words = list({"".join(chance.choices(alphabet, k=chance.randint(2, 11))): None for _ in range(VOCABULARY)})
        blank = " "
    else:
        words = [chr(FIRST_HAN + chance.randrange(HAN)) + chr(FIRST_HAN + chance.randrange(HAN)) for _ in range(VOCABULARY)]
        blank = ""
    often = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    sentences = [blank.join(chance.choices(words, cum_weights=often, k=SENTENCE_WORDS)) + ". " for _ in range(SENTENCES)]
    return Language(words, sentences)


def pages(number: int, languages: Sequence[Language], chance: random.Random) -> Iterator[str]:
    """Of one file, in one language; the first word of each page is the file's own."""
    sentences = languages[number % len(languages)].sentences
    for _ in range(chance.randint(*PAGES)):
        yield indexed(f"own{number} {''.join(chance.choices(sentences, k=PAGE_SENTENCES))}")


async def written(connection: asyncpg.Connection, files: int, languages: Sequence[Language], chance: random.Random) -> None:
    epoch = await connection.fetchval("SELECT id::text FROM epoch WHERE live")
    began, requests = time.monotonic(), {LARGE: str(uuid4()), SMALL: str(uuid4())}
    for start in range(0, files, AT_ONCE):
        collection = SMALL if start // AT_ONCE % SHARE == SHARE - 1 else LARGE
        batches = [(str(uuid4()), range(first, first + BATCH)) for first in range(start, min(files, start + AT_ONCE), BATCH)]
        events = [each for batch_id, numbers in batches for each in told(collection, requests[collection], batch_id, numbers)]
        texts = [(batch_id, number) for batch_id, numbers in batches for number in numbers]
        async with connection.transaction():
            await tables.write(connection, epoch, fold(events, {}))
            await connection.execute("DELETE FROM unindexed WHERE collection_id = $1", collection)
            await put(connection, texts, languages, chance)
        if start % (AT_ONCE * 10) == 0:
            print(f"  {start + AT_ONCE:,} files, {time.monotonic() - began:.0f} s", flush=True)
    await connection.execute("VACUUM (ANALYZE) indexed_page, indexed_text, file_metadata, batch")


async def put(
    connection: asyncpg.Connection, texts: list[tuple[str, int]], languages: Sequence[Language], chance: random.Random
) -> None:
    """Of each text its pages."""
    ids = await connection.fetch(
        "INSERT INTO indexed_text (batch_id, text_key, config) SELECT *, $3 FROM unnest($1::uuid[], $2::text[]) RETURNING id",
        [batch_id for batch_id, _ in texts],
        [f"{PREFIX}{number}" for _, number in texts],
        CONFIG,
    )
    rows = [
        (row["id"], page, body)
        for row, (_, number) in zip(ids, texts, strict=True)
        for page, body in enumerate(pages(number, languages, chance), start=1)
    ]
    await connection.execute(
        "INSERT INTO indexed_page SELECT n.id, n.page, 0, n.body, to_tsvector($4::text::regconfig, n.body) "
        "FROM unnest($1::bigint[], $2::integer[], $3::text[]) AS n (id, page, body)",
        *map(list, zip(*rows, strict=True)),
        CONFIG,
    )


def told(collection: str, request_id: str, batch_id: str, numbers: range) -> list[tuple[Event, int]]:
    """What the log tells of one batch, all of it processed."""
    run_id = str(uuid4())
    specs = [
        FileSpec(file_id=str(uuid4()), filename=f"scan-{each:06}.pdf", size=50_000, sha256="0" * 64, object_key=f"none/{each}")
        for each in numbers
    ]
    data: list[EventData] = [
        BatchCreated(collection_id=collection, request_id=request_id, files=tuple(specs), request_name="Bench"),
        BatchStarted(attempt=1, run_id=run_id, worker="bench"),
        *(
            FileProcessed(run_id=run_id, file_id=spec.file_id, page_count=3, text_key=f"{PREFIX}{each}", duration_ms=100)
            for each, spec in zip(numbers, specs, strict=True)
        ),
        BatchCompleted(run_id=run_id),
    ]
    now = datetime.now(UTC)
    return [
        (event_of(each, id=str(uuid4()), batch_id=batch_id, collection_id=collection, source="/bench", time=now), offset)
        for offset, each in enumerate(data)
    ]


async def sizes(connection: asyncpg.Connection) -> None:
    row: Any = await connection.fetchrow(
        "SELECT count(*) AS pages, sum(octet_length(replace(body, chr(3), ''))) AS text, "
        "pg_table_size('indexed_page') AS rows, pg_indexes_size('indexed_page') AS indexes, "
        "pg_total_relation_size('indexed_text') AS texts FROM indexed_page"
    )
    whole = row["rows"] + row["indexes"] + row["texts"]
    print(
        f"  {row['pages']:,} pages, {row['text'] / 1e6:.0f} MB of text; pages {row['rows'] / 1e6:.0f} MB, their indexes "
        f"{row['indexes'] / 1e6:.0f} MB, texts {row['texts'] / 1e6:.0f} MB: {whole / row['text']:.1f} times the text",
        flush=True,
    )


async def measured(http: httpx.AsyncClient, url: str, languages: Sequence[Language], rounds: int) -> None:
    latin, han = languages[0].words, languages[-1].words
    sought = {
        "a word of one file": "own7",
        "a rare word": latin[20_000],
        "a less common word": latin[300],
        "the most common word": latin[0],
        "two common words": f"{latin[0]} {latin[1]}",
        "a phrase": f'"{latin[0]} {latin[1]}"',
        "common, and not": f"{latin[0]} -{latin[1]}",
        "a common Chinese word": han[0],
        "no word that there is": "zzzzzz",
        "a common one and none": f"{latin[0]} zzzzzz",
    }
    for name, words in sought.items():
        for collection in (LARGE, SMALL, None):
            params: dict[str, str | int] = {"q": words, "in": "text", "limit": 50}
            if collection:
                params["collection_id"] = collection
            spent, found = [], 0
            for _ in range(rounds):
                began = time.monotonic()
                answer = await http.get(f"{url}/api/files", params=params)
                spent.append((time.monotonic() - began) * 1000)
                answer.raise_for_status()
                found = len(answer.json()["items"])
            print(
                f"  {name:<22} {collection or 'all':<20} {found:>3} files  p50 {statistics.median(spent):7.1f} ms, "
                f"worst {max(spent):7.1f} ms",
                flush=True,
            )


async def removed(connection: asyncpg.Connection) -> None:
    for table in ("batch", "file_metadata", "feed", "collection", "request", "unindexed"):
        await connection.execute(f"DELETE FROM {table} WHERE starts_with(collection_id, $1)", LARGE)  # noqa: S608 -- our own names
    await connection.execute("DELETE FROM indexed_text WHERE starts_with(text_key, $1)", PREFIX)


if __name__ == "__main__":
    asyncio.run(main())
