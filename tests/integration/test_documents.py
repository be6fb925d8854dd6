"""Rows of files over a real Postgres: whatever comes together, and in which order, the latest attempt's rows are there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from msgspec import structs
from tests.integration.stack import Stack
from tests.processor.test_ownership import created

from quire_processor.documents import Documents, Fenced
from quire_processor.extracted import Extracted
from quire_runtime import postgres
from quire_runtime.migrations import migrate
from quire_runtime.settings import PostgresSettings
from quire_schemas.batch import evolve
from quire_schemas.states import BatchState, FileState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = str(uuid4())


@pytest.fixture(scope="module")
async def pool(stack: Stack) -> AsyncIterator[asyncpg.Pool]:
    dsn = (await stack.fresh()).postgres
    with as_file(files("quire_processor") / "sql" / "migrations") as sql:
        await migrate(dsn, "processor", sql)
    pool = await postgres.connect_pool(PostgresSettings(dsn=dsn, pool_size=2), "processor")
    yield pool
    await pool.close()


@pytest.fixture
async def documents(pool: asyncpg.Pool) -> AsyncIterator[Documents]:
    documents = Documents(pool)
    yield documents
    await documents.aclose()


def batch(attempt: int) -> BatchState:
    state = evolve(None, created(), 0)
    assert state is not None
    return structs.replace(state, attempt=attempt)


def file() -> FileState:
    [one] = batch(1).files.values()
    return structs.replace(one, file_id=str(uuid4()))


def extracted(pages: tuple[str, ...] | Path, title: str | None = None) -> Extracted:
    count = len(pages) if isinstance(pages, tuple) else pages.read_bytes().count(b"\n")
    return Extracted(
        page_count=count,
        title=title,
        metadata={"Producer": 'a "b" ü'},
        truncated=False,
        pages_read=count,
        characters=0,
        notices=(),
        text=b"",
        pages=pages,
        thumbnail=None,
    )


async def kept(pool: asyncpg.Pool, one: FileState) -> tuple[int, list[tuple[int, int, str]]]:
    """The attempt of a file's row, and its pages: attempt, number, text."""
    rows = await pool.fetch("SELECT attempt, page, text FROM page WHERE file_id = $1 ORDER BY page", one.file_id)
    attempt = await pool.fetchval("SELECT attempt FROM document WHERE file_id = $1", one.file_id)
    return attempt, [tuple(row) for row in rows]


async def test_files_that_come_together_have_their_own_rows_each(documents: Documents, pool: asyncpg.Pool) -> None:
    several = {n: (file(), (f"a {n}", "", "c\t\\\n")[: n % 4]) for n in range(100)}
    await asyncio.gather(*(documents.insert(one, batch(1), RUN, extracted(pages), NOW) for one, pages in several.values()))
    for one, pages in several.values():
        assert await kept(pool, one) == (1, [(1, at, text) for at, text in enumerate(pages, start=1)])
    row = await pool.fetchrow(
        "SELECT metadata::text, title, processed_at FROM document WHERE file_id = $1", several[0][0].file_id
    )
    assert tuple(row) == ('{"Producer": "a \\"b\\" ü"}', None, NOW)


async def test_a_later_attempt_replaces_all_pages_and_an_earlier_one_is_fenced(documents: Documents, pool: asyncpg.Pool) -> None:
    one, other = file(), file()
    await documents.insert(one, batch(1), RUN, extracted(("a", "b", "c")), NOW)
    await documents.insert(one, batch(3), RUN, extracted(("d",), "title"), NOW)
    late, fresh = await asyncio.gather(
        documents.insert(one, batch(2), RUN, extracted(("e", "f")), NOW),
        documents.insert(other, batch(2), RUN, extracted(("g",)), NOW),
        return_exceptions=True,
    )
    assert (type(late), fresh) == (Fenced, None)
    assert await kept(pool, one) == (3, [(3, 1, "d")])
    assert await kept(pool, other) == (2, [(2, 1, "g")])


async def test_long_and_short_texts_keep_to_the_same_order(documents: Documents, pool: asyncpg.Pool, tmp_path: Path) -> None:
    chance, path = random.Random(1), tmp_path / "pages.tsv"  # noqa: S311 -- repeatable on purpose
    path.write_text("1\tlong\n2\t\n")
    for _ in range(20):
        one, attempts = file(), [chance.randint(1, 4) for _ in range(5)]
        for attempt in attempts:
            pages = chance.choice([path, ("short",), ("short", "er", "est")])
            try:
                await documents.insert(one, batch(attempt), RUN, extracted(pages), NOW)
            except Fenced:
                continue
            expected = pages if isinstance(pages, tuple) else ("long", "")
            assert await kept(pool, one) == (attempt, [(attempt, at, text) for at, text in enumerate(expected, start=1)])
        assert (await kept(pool, one))[0] == max(attempts)


async def test_one_file_that_postgres_refuses_costs_no_other(documents: Documents, pool: asyncpg.Pool) -> None:
    good, bad = file(), file()
    results = await asyncio.gather(
        documents.insert(good, batch(1), RUN, extracted(("a",)), NOW),
        documents.insert(bad, batch(1), RUN, extracted(("NUL \0",)), NOW),
        documents.insert(good, batch(1), RUN, extracted(("again",)), NOW),
        return_exceptions=True,
    )
    assert (results[0], results[2]) == (None, None)
    assert isinstance(results[1], asyncpg.PostgresError)
    assert (await kept(pool, good))[1] == [(1, 1, "again")]
    assert await kept(pool, bad) == (None, [])
