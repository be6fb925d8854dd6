"""Reads the feed: messages in order, heads, snapshots. Every answer names the epoch it is from."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import asyncpg

from quire_notifier import metrics
from quire_notifier.projecting.epochs import NONE_IS_LIVE, NeedsRebuild
from quire_notifier.projecting.rows import BatchRow
from quire_notifier.pushing.cursors import Onward
from quire_runtime.statements import statements
from quire_schemas.batch import BatchState
from quire_schemas.stored import decode_state

_SQL = statements("quire_notifier.pushing", "feed")


class Message(NamedTuple):
    """A feed message: `text` is its JSON in UTF-8, as every subscriber gets it; `at` the time of its event."""

    seq: int
    text: bytes
    at: datetime


class Stretch(NamedTuple):
    """Messages that follow each other."""

    epoch: str
    messages: list[Message]


class Head(NamedTuple):
    """Where a collection's feed ends; messages up to `pruned_to` are gone."""

    epoch: str
    last_seq: int
    pruned_to: int


class Active(NamedTuple):
    """Active batches as of exactly this place in the feed, the oldest first, each with its state where it is being processed:
    what is in flight stands nowhere else. `total`: how many are active, here or not.
    """

    head: Head
    total: int
    batches: list[tuple[BatchRow, BatchState | None]]


class Feed:
    """The feed in Postgres."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def head(self, collection_id: str) -> Head:
        return _head(await self._pool.fetchrow(_SQL["head"], collection_id))

    async def heads(self, collection_ids: Collection[str]) -> tuple[str, dict[str, int]]:
        """The live epoch, and the last seq of those collections that have one."""
        rows = await self._pool.fetch(_SQL["heads"], list(collection_ids))
        return _epoch(rows), {row["collection_id"]: row["last_seq"] for row in rows if row["collection_id"] is not None}

    async def read(self, collection_id: str, after: int, limit: int, *, kind: str) -> Stretch:
        """At most `limit` messages after the given seq. They begin with the oldest that is kept: look at the first seq."""
        metrics.FEED_READS.labels(kind).inc()
        rows = await self._pool.fetch(_SQL["read"], collection_id, after, limit)
        messages = [Message(row["seq"], row["message"].encode(), row["at"]) for row in rows if row["seq"] is not None]
        return Stretch(_epoch(rows), messages)

    async def of_batch(self, batch_id: str, after: int, limit: int) -> Stretch:
        """Messages of one batch, of those that are kept: in their order, with gaps where other batches have theirs."""
        metrics.FEED_READS.labels("http").inc()
        rows = await self._pool.fetch(_SQL["of_batch"], batch_id, after, limit)
        messages = [Message(row["seq"], row["message"].encode(), row["at"]) for row in rows if row["seq"] is not None]
        return Stretch(_epoch(rows), messages)

    async def active(self, collection_id: str, after: Onward | None, limit: int) -> Active:
        """At most `limit` of them, those after the place where one is given."""
        at, batch_id = (None, None) if after is None else (after.at, after.id)
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            head = _head(await connection.fetchrow(_SQL["head"], collection_id))
            total = await connection.fetchval(_SQL["total"], collection_id)
            rows = await connection.fetch(_SQL["active"], collection_id, at, batch_id, limit)
        return Active(head, total, [_batch(row) for row in rows])


def _head(row: asyncpg.Record | None) -> Head:
    if row is None:
        raise NeedsRebuild(NONE_IS_LIVE)
    return Head(*row)


def _epoch(rows: list[asyncpg.Record]) -> str:
    if not rows:
        raise NeedsRebuild(NONE_IS_LIVE)
    epoch: str = rows[0]["epoch"]
    return epoch


def _batch(row: asyncpg.Record) -> tuple[BatchRow, BatchState | None]:
    *columns, state = row
    return BatchRow(*columns), None if state is None else decode_state(state)
