"""The projection over a real Postgres: answers to commits are lost, connections break, another notifier reads the same log.
However it went, every event is projected once.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec import UNSET, structs
from tests.integration.stack import Stack
from tests.schemas import story

from quire_notifier.projecting import tables
from quire_notifier.projecting.epochs import SCHEMA, ensure_epoch
from quire_notifier.projecting.fold import fold
from quire_notifier.projecting.projection import Projection
from quire_notifier.projecting.row_sql import column_types, row_statements
from quire_notifier.projecting.rows import BatchRow, FileRow
from quire_notifier.pushing.feed import Feed
from quire_notifier.pushing.snapshots import read_snapshot
from quire_notifier.web.paging import file_place_of, onward_of
from quire_notifier.web.queries import Queries, Scope, Within
from quire_runtime import postgres
from quire_runtime.handler import LogRecord, SeekTo
from quire_runtime.migrations import migrate
from quire_runtime.settings import PostgresSettings
from quire_schemas.events import Event
from quire_schemas.messages import Subscribed, decode_server_message
from quire_schemas.views import FilePosition, FileView

PARTITIONS = 8
BATCHES = 2
"""In each partition."""
Log = list[list[Event]]


@pytest.fixture
async def pool(stack: Stack) -> AsyncIterator[asyncpg.Pool]:
    dsn = (await stack.fresh()).postgres
    with as_file(files("quire_notifier.projecting") / "sql" / "migrations") as sql:
        await migrate(dsn, SCHEMA, sql)
    pool = await postgres.connect_pool(PostgresSettings(dsn=dsn, pool_size=4), SCHEMA)
    await ensure_epoch(pool)
    yield pool
    await pool.close()


class Unreliable:
    """A pool of which now and then a connection is not to be had, or breaks when all is done and its end was not heard of."""

    def __init__(self, pool: asyncpg.Pool, chance: random.Random) -> None:
        self.chance: random.Random | None = chance
        self._pool = pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        self._break()
        async with self._pool.acquire() as connection:
            yield connection
        self._break()

    async def execute(self, *args: Any) -> None:
        self._break()
        await self._pool.execute(*args)
        self._break()

    def _break(self) -> None:
        if self.chance is not None and self.chance.random() < 0.15:
            raise ConnectionResetError("broken")


class Reader:
    """A consumer as `LogConsumer` is one, of every partition."""

    def __init__(self, pool: Unreliable, log: Log, chance: random.Random) -> None:
        self._projection = Projection(pool, self._begins)  # type: ignore[arg-type]
        self._log = log
        self._chance = chance
        self._next: dict[int, int] = {}

    async def _begins(self, partitions: Collection[int]) -> Mapping[int, int]:
        return dict.fromkeys(partitions, 0)

    async def place(self) -> None:
        self._next.clear()
        try:
            self._next |= await self._projection.positions(frozenset(range(PARTITIONS)))
        except ConnectionResetError:
            return

    async def poll(self, most: int) -> bool:
        """Whether there was anything to read."""
        records = [
            LogRecord(partition, offset, 0, self._log[partition][offset], None, None, ())
            for partition, start in self._next.items()
            if self._chance.random() < 0.3
            for offset in range(start, min(start + self._chance.randint(1, most), len(self._log[partition])))
        ]
        if records:
            try:
                await self._projection.records(records)
            except SeekTo as seek:
                self._next |= seek.positions
            except ConnectionResetError:
                await self.place()
            else:
                self._next |= {record.partition: record.offset + 1 for record in records}
        return any(self._next.get(partition, 0) < len(events) for partition, events in enumerate(self._log))


def written(chance: random.Random) -> Log:
    """In each partition some batches, one in the middle of the other."""
    log: Log = []
    for partition in range(PARTITIONS):
        stories = [
            [
                structs.replace(event, batch_id=story.uid(f"{partition}.{number}"))
                for event in (
                    story.created(),
                    story.started(),
                    story.progressed(),
                    story.processed("a"),
                    story.processed("a"),
                    story.processed("b"),
                    story.completed(),
                )
            ]
            for number in range(BATCHES)
        ]
        events: list[Event] = []
        while any(stories):
            events.append(chance.choice([one for one in stories if one]).pop(0))
        log.append(events)
    return log


@pytest.mark.parametrize("seed", range(20))
async def test_every_event_is_projected_once(pool: asyncpg.Pool, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose
    log = written(chance)
    unreliable = Unreliable(pool, chance)
    readers = [Reader(unreliable, log, chance) for _ in range(2)]
    for _ in range(40):
        reader = chance.choice(readers)
        await (reader.place() if chance.random() < 0.2 else reader.poll(most=4))
    unreliable.chance = None
    await readers[0].place()
    while await readers[0].poll(most=50):
        pass
    await is_projected(pool, log)


async def begins(partitions: Collection[int]) -> Mapping[int, int]:
    return dict.fromkeys(partitions, 0)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), -timedelta(hours=1)], ids=["ahead", "late"])
async def test_a_batch_is_silent_by_one_clock_whatever_that_of_its_processor_says(pool: asyncpg.Pool, ahead: timedelta) -> None:
    events = [structs.replace(event, time=datetime.now(UTC) + ahead) for event in (story.created(), story.started())]
    projection, queries = Projection(pool, begins), Queries(pool, lambda *_: "")
    await projection.positions(frozenset({0}))
    await projection.records([LogRecord(0, offset, 0, event, None, None, ()) for offset, event in enumerate(events)])
    assert (await queries.stuck(Scope(None, None), 60.0)).items == []
    [silent] = (await queries.stuck(Scope(None, None), 0.0)).items
    assert silent.batch_id == story.BATCH


async def is_projected(pool: asyncpg.Pool, log: Log) -> None:
    rows = await pool.fetch("SELECT batch_id::text, collection_id, seq, message FROM feed ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    told: dict[str, list[Any]] = {}
    for row in rows:
        message: Any = decode_server_message(row["message"])
        told.setdefault(row["batch_id"], []).append(structs.replace(message, seq=0))
    expected: dict[str, list[Any]] = {}
    for events in log:
        for message in fold([(event, offset) for offset, event in enumerate(events)], {}).messages:
            expected.setdefault(message.batch_id, []).append(message)
    assert told == {key: [decode_server_message(msgspec.json.encode(one)) for one in value] for key, value in expected.items()}
    statuses = await pool.fetch("SELECT status, count(*) FROM batch GROUP BY 1")
    assert [tuple(row) for row in statuses] == [("completed", PARTITIONS * BATCHES)]
    positions = await pool.fetch("SELECT partition, next_offset FROM projection ORDER BY 1")
    assert [tuple(row) for row in positions] == [(partition, len(events)) for partition, events in enumerate(log)]


async def test_a_snapshot_has_500_batches_at_most_and_its_cursor_leads_to_the_others(pool: asyncpg.Pool) -> None:
    epoch = await pool.fetchval("SELECT id::text FROM epoch WHERE live")
    told = [
        structs.replace(story.created(), batch_id=story.uid(f"{number}"), time=story.at(number // 3)) for number in range(1_100)
    ]
    working = [
        structs.replace(event, batch_id=story.uid("0")) for event in (story.started(), story.progressed(b=("extracting", 2, 3)))
    ]
    ended = structs.replace(story.cancel(), batch_id=story.uid("1"))
    async with pool.acquire() as connection, connection.transaction():
        await tables.write(
            connection, epoch, fold([(event, offset) for offset, event in enumerate([*told, *working, ended])], {})
        )
    feed, cursor, sizes, found = Feed(pool), None, [], []
    while cursor is not None or not sizes:
        messages = await read_snapshot(feed, story.COLLECTION, cursor)
        parts = [msgspec.json.decode(text, type=Subscribed) for text in messages.texts]
        batches = [batch for part in parts for batch in part.snapshot.batches]
        assert {(part.epoch, part.seq, part.snapshot.total) for part in parts} == {(epoch, 1_105, 1_099)}
        assert [part.more for part in parts] == [True] * (len(parts) - 1) + [UNSET]
        assert max(map(len, messages.texts)) < 70_000
        sizes.append(len(batches))
        found += batches
        cursor = onward_of(parts[-1].snapshot.next_cursor)
    assert sizes == [500, 500, 99]
    assert {batch.batch_id for batch in found} == {story.uid(f"{number}") for number in range(1_100) if number != 1}
    [first] = [batch for batch in found if batch.in_flight]
    assert (first.batch_id, first.files) == (story.uid("0"), UNSET)
    at = FilePosition(file_id=story.uid("b"), stage="extracting", page=2, pages=3, filename="b.pdf", started_at=story.START)
    assert first.in_flight == [at]


NAMES = ["r\u00e9sum\u00e9.pdf", "STRASSE.pdf", "\u0394\u03b5\u03bb\u03c4\u03ac.pdf", "100%.pdf", "same.pdf", "same.pdf"]
FOLDERS = [None, None, None, None, "a/same.pdf", "b/same.pdf"]


async def with_names(pool: asyncpg.Pool, batches: int = 1) -> Queries:
    """So many batches with a file of each of the names."""
    epoch = await pool.fetchval("SELECT id::text FROM epoch WHERE live")
    told = []
    for number in range(batches):
        specs = [
            structs.replace(story.spec(f"{number}-{place}"), filename=name, path=FOLDERS[place])
            for place, name in enumerate(NAMES)
        ]
        data = structs.replace(story.created().data, files=tuple(specs))
        told.append(structs.replace(story.created(), batch_id=story.uid(f"{number}"), time=story.at(number // 2), data=data))
    async with pool.acquire() as connection, connection.transaction():
        await tables.write(connection, epoch, fold([(event, offset) for offset, event in enumerate(told)], {}))
    return Queries(pool, lambda *_: "")


async def listed(queries: Queries, limit: int, name: str | None = None, **wanted: Any) -> list[FileView]:
    """Page by page."""
    found: list[FileView] = []
    cursor: str | None = None
    while cursor is not None or not found:
        place = file_place_of(cursor)
        page = await queries.files(Scope(None, None), place, limit, Within(**wanted), name)
        found += page.items
        if (cursor := page.next_cursor) is None:
            break
    return found


async def test_files_of_a_batch_are_listed_in_their_order_and_newer_batches_first(pool: asyncpg.Pool) -> None:
    queries = await with_names(pool, batches=4)
    files = await listed(queries, 5)
    assert [file.original_filename for file in files] == NAMES * 4
    assert [(file.position, file.path) for file in files[:6]] == list(enumerate(FOLDERS))
    assert [file.created_at for file in files] == [story.at(1)] * 12 + [story.at(0)] * 12
    assert len({(file.batch_id, file.file_id) for file in files}) == 24
    [batch_id] = {file.batch_id for file in files[6:12]}
    assert await listed(queries, 4, batch_id=batch_id) == files[6:12]


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("r\u00e9s", 0),
        ("RE\u0301SUM", 0),
        ("stra\u00dfe", 1),
        ("\u0394\u0395\u039b\u03a4\u0391\u0301", 2),
        ("0%", 3),
        ("\uff33\uff34\uff32", 1),
    ],
)
async def test_a_name_is_found_however_it_is_written(pool: asyncpg.Pool, sought: str, found: int) -> None:
    queries = await with_names(pool)
    assert [file.position for file in await listed(queries, 50, name=sought)] == [found]


ID = story.uid("any")
COLUMNS = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2"


@pytest.mark.parametrize(
    ("package", "module", "name", "asked"),
    [
        ("web", "queries", "batches", (None, None, None, None, None, 51)),
        ("web", "queries", "batches", (None, "default", None, None, None, 51)),
        ("web", "queries", "waiting", (None, None, None, None, 51)),
        ("web", "queries", "files", (None, "default", None, None, None, None, None, None, None, 51, None)),
        ("web", "queries", "batches_of", (None, None, None, None, None, 51, ID)),
        ("web", "requests", "requests", (None, None, None, None, None, 51)),
        ("web", "requests", "requests", (None, "default", None, None, None, 51)),
        ("web", "requests", "states", (ID, "default", None, None, 51)),
        ("pushing", "feed", "active", ("default", None, None, 501)),
    ],
)
async def test_a_page_of_a_list_is_read_in_the_order_of_an_index(
    pool: asyncpg.Pool, package: str, module: str, name: str, asked: tuple[object, ...]
) -> None:
    """However long the list is, then: nothing of it is sorted but what is asked for."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")  # where it can
        asking = row_statements(f"quire_notifier.{package}", module)[name]
        plan = await connection.fetch(f"EXPLAIN {asking}", *asked)
    assert "Sort" not in "\n".join(line[0] for line in plan)


@pytest.mark.parametrize(
    ("place", "name", "asked", "by"),
    [
        (("web", "queries"), "files_of", (*(None,) * 9, 51, None, ID), "Presorted Key: b.created_at, b.batch_id"),
        (("web", "queries"), "files_in_order", (*(None,) * 9, 51, None, ID), "Presorted Key: b.created_at, b.batch_id"),
        (("web", "requests"), "failures_of_collection", (None, "c", 100), "batch_collection_id_idx"),
        (("web", "exports"), "of_files", (None, None, [ID], story.START, ID, 0, ID, 11), "file_metadata_id_idx"),
        (
            ("web", "exports"),
            "of_request",
            (None, None, ID, story.START, ID, 0, ID, 11),
            "batch_request_id_created_at_batch_id_idx",
        ),
        (
            ("web", "exports"),
            "of_collection",
            (None, "c", None, story.START, ID, 0, ID, 11),
            "batch_collection_id_created_at_batch_id_idx",
        ),
        (("pushing", "feed"), "of_batch", (ID, 0, 51), "feed_batch_id_seq_idx"),
    ],
)
async def test_what_is_asked_of_one_upload_or_batch_is_found_by_an_index_and_sorted_a_batch_at_a_time(
    pool: asyncpg.Pool, place: tuple[str, str], name: str, asked: tuple[object, ...], by: str
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = await connection.fetch(f"EXPLAIN {row_statements(f'quire_notifier.{place[0]}', place[1])[name]}", *asked)
    assert by in "\n".join(line[0] for line in plan)


@pytest.mark.parametrize(
    ("table", "row", "others"),
    [
        ("batch", BatchRow, {"state": "bytea", "heard_at": "timestamp with time zone"}),
        ("file_metadata", FileRow, {"searchable": "text"}),
    ],
)
async def test_a_table_has_the_columns_of_its_row(
    pool: asyncpg.Pool, table: str, row: type[BatchRow | FileRow], others: dict[str, str]
) -> None:
    """So have the templates, of which a rebuild makes the tables anew."""
    wanted = {name: kind.replace("timestamptz", "timestamp with time zone") for name, kind in column_types(row).items()}
    for name in (table, f"{table}_template"):
        columns = await pool.fetch(COLUMNS, SCHEMA, name)
        assert {column["column_name"]: column["data_type"] for column in columns} == wanted | others


async def test_words_are_looked_up_in_an_index_and_their_files_in_another(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")  # where it can
        asked = (None, None, None, None, None, None, None, None, None, 51, "simple", "harbour", None)
        plan = await connection.fetch(f"EXPLAIN {row_statements('quire_notifier.web', 'search')['files']}", *asked)
    text = "\n".join(line[0] for line in plan)
    assert "Seq Scan" not in text
    assert "indexed_page_words_idx" in text
