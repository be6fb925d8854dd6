"""Queries of uploads in Postgres. Rows come in, views go out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import structs

from quire_notifier.pushing.cursors import cursor_of
from quire_notifier.web.paging import Place
from quire_notifier.web.queries import Queries, Scope
from quire_runtime.statements import statements
from quire_schemas.events import Status
from quire_schemas.views import BatchCounts, FailureView, FileCounts, Page, RequestView

_SQL = statements("quire_notifier.web", "requests")
MOST_REQUESTS = 100
"""Requests that a group of failures names at most."""
_SHORTEST_SECONDS = 1.0
"""Seconds over which a pace is measured at least."""


class RequestRow(NamedTuple):
    """A request's row, with the columns that the statements select."""

    request_id: str
    collection_id: str
    name: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    batches: int
    open: int
    total: int
    queued: int
    processing: int
    processed: int
    failed: int
    cancelled: int
    bytes: int
    pages: int

    @property
    def left(self) -> int:
        return self.queued + self.processing


class Stored(NamedTuple):
    """A page of batches' states as they are stored, and the cursor of the next page."""

    states: list[bytes]
    next_cursor: str | None


class Requests:
    """Queries of the tables that are summed up by request."""

    def __init__(self, pool: asyncpg.Pool, queries: Queries) -> None:
        self._pool = pool
        self._queries = queries

    async def listed(self, scope: Scope, statuses: Sequence[str] | None, place: Place | None, limit: int) -> Page[RequestView]:
        bounds = await self._queries.bounds(scope)
        found = await self._pool.fetch(_SQL["requests"], *bounds, statuses, *(place or (None, None)), limit + 1)
        rows = [RequestRow(*row) for row in found[:limit]]
        following = cursor_of(rows[-1].created_at, UUID(rows[-1].request_id)) if len(found) > limit else None
        return Page(items=await self.views(rows), next_cursor=following)

    async def rows(self, request_id: str) -> list[RequestRow]:
        """Returns one row for each collection that has batches of the request."""
        return [RequestRow(*row) for row in await self._pool.fetch(_SQL["request"], request_id)]

    async def views(self, rows: Sequence[RequestRow]) -> list[RequestView]:
        paces = await self._paces([row for row in rows if row.open])
        return [_view(row, paces.get((row.request_id, row.collection_id))) for row in rows]

    async def failures(self, row: RequestRow) -> list[FailureView]:
        """Returns the request's failures by error code, the most frequent first."""
        return [_failure(each) for each in await self._pool.fetch(_SQL["failures"], row.request_id, row.collection_id)]

    async def failures_of_collection(self, scope: Scope) -> list[FailureView]:
        """Returns failures by error code, the most frequent first. Each names uploads that can be retried."""
        bounds = await self._queries.bounds(scope)
        found = await self._pool.fetch(_SQL["failures_of_collection"], *bounds, MOST_REQUESTS)
        return [structs.replace(_failure(each), request_ids=each["request_ids"] or []) for each in found]

    async def states(self, row: RequestRow, place: Place | None, limit: int) -> Stored:
        found = await self._pool.fetch(_SQL["states"], row.request_id, row.collection_id, *(place or (None, None)), limit + 1)
        following = cursor_of(found[limit - 1][0], found[limit - 1][1]) if len(found) > limit else None
        return Stored([each["state"] for each in found[:limit]], following)

    async def _paces(self, rows: Sequence[RequestRow]) -> dict[tuple[str, str], float]:
        """Returns files a second by request and collection. Requests that made no progress lately are missing."""
        if not rows:
            return {}
        collections, ids = sorted({row.collection_id for row in rows}), [row.request_id for row in rows]
        found = await self._pool.fetch(_SQL["paces"], collections, ids)
        return {(row[0], row[1]): row["files"] / max(_SHORTEST_SECONDS, row["seconds"]) for row in found}


def _failure(row: Any) -> FailureView:
    return FailureView(code=row["error_code"], count=row["count"], retriable=row["retriable"], message=row["message"] or "")


def _view(row: RequestRow, pace: float | None) -> RequestView:
    ended_at = None if row.open else row.ended_at
    if ended_at is not None and row.started_at is not None:
        seconds = max(_SHORTEST_SECONDS, (ended_at - row.started_at).total_seconds())
        pace = (row.total - row.left) / seconds
    return RequestView(
        request_id=row.request_id,
        collection_id=row.collection_id,
        name=row.name,
        status=row.status,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=ended_at,
        batches=BatchCounts(total=row.batches, ended=row.batches - row.open),
        files=FileCounts(
            total=row.total,
            queued=row.queued,
            processing=row.processing,
            processed=row.processed,
            failed=row.failed,
            cancelled=row.cancelled,
        ),
        bytes=row.bytes,
        pages=row.pages,
        files_per_second=None if pace is None else round(pace, 2),
        eta_seconds=None if pace is None or not row.open else round(row.left / pace, 1),
    )
