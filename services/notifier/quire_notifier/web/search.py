"""`GET /api/files?q=…&in=text`: finds the files whose text has these words, and the pages with them."""

from collections.abc import Sequence

import asyncpg
from msgspec import structs

from quire_notifier.indexing.segments import asked, snippet_of
from quire_notifier.projecting.row_sql import row_statements
from quire_notifier.projecting.rows import FileRow
from quire_notifier.web.paging import FilePlace, cursor_after
from quire_notifier.web.queries import Queries, Scope, Within
from quire_notifier.web.row_views import Linker, file_view
from quire_runtime.http import Problem
from quire_schemas.views import FileView, Match, Page

_SQL = row_statements("quire_notifier.web", "search")
PAGES = 3
"""Pages with hits that are shown of a file at most."""
MOST_FILES = 100
"""Files on a page of results at most, because each needs snippets."""
MOST_COUNTED = 100_000


class Search:
    """Searches the index that `indexing` makes."""

    def __init__(self, pool: asyncpg.Pool, queries: Queries, link: Linker, config: str) -> None:
        self._pool = pool
        self._queries = queries
        self._link = link
        self._config = config

    async def files(self, scope: Scope, place: FilePlace | None, limit: int, within: Within, words: str) -> Page[FileView]:
        """Returns a page of files with their matches. Raises Problem 422 when the words contain nothing to search for."""
        bounds, limit, query = await self._queries.bounds(scope), min(limit, MOST_FILES), asked(words)
        if not await self._pool.fetchval(_SQL["is_useful"], self._config, query):
            raise Problem(
                422, "invalid_q", "q takes at least one word to look for: signs alone, or words to leave out, are none."
            )
        where = (*bounds, within.batch_id, within.request_id)
        further = (within.statuses, *(place or [None] * 4), limit + 1, self._config, query, within.codes)
        found = await self._pool.fetch(_SQL["files"], *where, *further)
        rows = [FileRow(*row) for row in found[:limit]]
        matches = await self._matches(rows, query)
        return Page(
            items=[structs.replace(file_view(row, self._link), matches=matches.get(row.text_key or "", [])) for row in rows],
            next_cursor=cursor_after(rows[-1], "newest") if len(found) > limit else None,
            unindexed=await self._pool.fetchval(_SQL["unindexed"], *where, MOST_COUNTED),
        )

    async def _matches(self, rows: Sequence[FileRow], query: str) -> dict[str, list[Match]]:
        """Returns the matches by the keys of their texts."""
        keys, batches = [row.text_key for row in rows], [row.batch_id for row in rows]
        matches: dict[str, list[Match]] = {}
        for found in await self._pool.fetch(_SQL["matches"], keys, self._config, query, PAGES, batches):
            snippet, hits = snippet_of(found["snippet"])
            matches.setdefault(found["text_key"], []).append(Match(page=found["page"], snippet=snippet, hits=hits))
        return matches
