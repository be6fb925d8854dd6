"""Queries of collections, batches and files in Postgres. Rows come in, views go out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from quire_notifier.projecting.row_sql import row_statements
from quire_notifier.projecting.rows import BatchRow, FileRow
from quire_notifier.pushing.cursors import cursor_of
from quire_notifier.web.paging import FilePlace, Order, Place, cursor_after
from quire_notifier.web.row_views import Linker, batch_view, file_view
from quire_schemas.states import BatchState
from quire_schemas.stored import decode_state
from quire_schemas.text import searchable
from quire_schemas.views import BatchView, CollectionView, FileCounts, FileView, Page

_SQL = row_statements("quire_notifier.web", "queries")
MOST_STUCK = 1_000


class Scope(NamedTuple):
    """The collections that a caller asks about: LIKE patterns of those that it may read (None: all), and one of them (None:
    all).
    """

    patterns: list[str] | None
    collection_id: str | None


class Within(NamedTuple):
    """A filter of files by batch, request, standings and error codes; None means any. `order` may be upload only with a batch
    or a request.
    """

    batch_id: str | None = None
    request_id: str | None = None
    statuses: Sequence[str] | None = None
    codes: Sequence[str] | None = None
    order: Order = "newest"


ANY = Within()


class Queries:
    """Queries of the projected tables."""

    def __init__(self, pool: asyncpg.Pool, link: Linker) -> None:
        self._pool = pool
        self._link = link

    async def state(self, batch_id: str) -> BatchState | None:
        row = await self._pool.fetchrow(_SQL["state"], batch_id)
        return None if row is None else decode_state(row["state"])

    async def batches(self, scope: Scope, statuses: Sequence[str] | None, place: Place | None, limit: int) -> Page[BatchView]:
        rows = await self._pool.fetch(_SQL["batches"], *await self.bounds(scope), statuses, *(place or (None, None)), limit + 1)
        return _batches(rows, limit)

    async def batches_of(
        self, request_id: str, scope: Scope, statuses: Sequence[str] | None, place: Place | None, limit: int
    ) -> Page[BatchView]:
        """Returns a page of the batches of a request."""
        bounds = await self.bounds(scope)
        rows = await self._pool.fetch(_SQL["batches_of"], *bounds, statuses, *(place or (None, None)), limit + 1, request_id)
        return _batches(rows, limit)

    async def waiting(self, scope: Scope, place: Place | None, limit: int) -> Page[BatchView]:
        rows = await self._pool.fetch(_SQL["waiting"], *await self.bounds(scope), *(place or (None, None)), limit + 1)
        return _batches(rows, limit)

    async def stuck(self, scope: Scope, older_than: float) -> Page[BatchView]:
        """Returns batches that have been silent for `older_than` seconds. There is only one page, as more than MOST_STUCK
        batches mean another problem.
        """
        rows = await self._pool.fetch(_SQL["stuck"], *await self.bounds(scope), older_than, MOST_STUCK)
        return Page(items=[batch_view(BatchRow(*row)) for row in rows], next_cursor=None)

    async def files(
        self,
        scope: Scope,
        place: FilePlace | None,
        limit: int,
        within: Within = ANY,
        name: str | None = None,
    ) -> Page[FileView]:
        """Returns a page of files. `name` is a part of the filename; case and the encoding of accents do not matter."""
        like = None if name is None else f"%{literal(searchable(name))}%"
        bounds = await self.bounds(scope)
        asked = (*bounds, within.batch_id, within.statuses, like, *(place or [None] * 4), limit + 1, within.codes)
        if within.request_id is None:
            rows = await self._pool.fetch(_SQL["files"], *asked)
        else:
            statement = "files_of" if within.order == "newest" else "files_in_order"
            rows = await self._pool.fetch(_SQL[statement], *asked, within.request_id)
        items = [FileRow(*row) for row in rows[:limit]]
        following = cursor_after(items[-1], within.order) if len(rows) > limit else None
        return Page(items=[file_view(item, self._link) for item in items], next_cursor=following)

    async def bounds(self, scope: Scope) -> tuple[list[str] | None, str | None]:
        """Returns what a list is restricted to: a list of collections and one collection, each None for all. Patterns are
        resolved to names, because no index supports patterns.
        """
        if scope.collection_id is not None or scope.patterns is None:
            return None, scope.collection_id
        return [row[0] for row in await self._pool.fetch(_SQL["names"], scope.patterns)], None

    async def file(self, file_id: str) -> FileRow | None:
        row = await self._pool.fetchrow(_SQL["file"], file_id)
        return None if row is None else FileRow(*row)

    async def collections(self, patterns: list[str] | None, after: str | None, limit: int) -> Page[CollectionView]:
        rows = await self._pool.fetch(_SQL["collections"], patterns, after, limit + 1)
        items = [_collection(row) for row in rows[:limit]]
        return Page(items=items, next_cursor=items[-1].collection_id if len(rows) > limit else None)


def _collection(row: Any) -> CollectionView:
    name, last_seq, active = row[:3]
    return CollectionView(collection_id=name, last_seq=last_seq, active=active, files=FileCounts(**dict(list(row.items())[3:])))


def literal(text: str) -> str:
    """Returns a LIKE pattern that matches exactly this text."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _batches(rows: Sequence[Any], limit: int) -> Page[BatchView]:
    items = [BatchRow(*row) for row in rows[:limit]]
    following = cursor_of(items[-1].created_at, items[-1].batch_id) if len(rows) > limit else None
    return Page(items=[batch_view(item) for item in items], next_cursor=following)
