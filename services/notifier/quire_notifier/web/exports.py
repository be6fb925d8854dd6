"""`GET /api/export`: texts, originals or a report of a collection, a request, a batch or some files, in the order of the
upload.

Rows are read from Postgres a few batches at a time; objects are read one after the other, in chunks. So an export of any size
takes the same memory, except for the names of an archive's entries. When a server is away, the export waits for a while, and
then cuts the connection. An export of lines can be continued from the `cursor` of the last whole line. An archive that was cut
has no directory, so every tool rejects it.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from quire_notifier import metrics
from quire_notifier.projecting.row_sql import row_statements
from quire_notifier.projecting.rows import FileRow
from quire_notifier.web.access import readable, reader, scope
from quire_notifier.web.contents import RETRY_AFTER, content_disposition
from quire_notifier.web.exporting import formats
from quire_notifier.web.exporting.archive import zipped
from quire_notifier.web.exporting.steady import object_bytes, patiently
from quire_notifier.web.held import HeldResponse
from quire_notifier.web.links import SignedLinks
from quire_notifier.web.paging import FilePlace, file_place_of
from quire_notifier.web.parameters import one_of, optional_uuid, uuids
from quire_notifier.web.queries import Queries, Scope
from quire_notifier.web.row_views import file_view
from quire_runtime.auth import EVERYBODY, Principal
from quire_runtime.http import Problem, json_response
from quire_runtime.storage import ObjectStore

_SQL = row_statements("quire_notifier.web", "exports")
BATCHES_AT_ONCE = 11
"""Batches read together: the one in which the last page ended, and ten more."""
MOST_FILES = 500
"""Files that one request may name by their ids."""
_BEGIN = FilePlace(datetime(1, 1, 1, tzinfo=UTC), UUID(int=0), -1, UUID(int=0))
_FORMATS = {"text": ("jsonl", "zip", "csv"), "original": ("zip",), "report": ("jsonl", "csv", "zip")}
_TEXTS: Mapping[str, Callable[[formats.Rows, formats.Fetch], AsyncGenerator[bytes, None]]] = {
    "jsonl": formats.text_lines,
    "csv": formats.text_table,
    "zip": lambda found, fetch: zipped(formats.text_entries(found, fetch)),
}
_REPORTS: Mapping[str, Callable[[formats.Rows, formats.Describe], AsyncGenerator[bytes, None]]] = {
    "jsonl": formats.report_lines,
    "csv": formats.report_table,
    "zip": lambda found, describe: zipped(formats.report_entries(found, describe)),
}
KINDS = tuple(_FORMATS)
FORMATS = ("jsonl", "zip", "csv")
_MEDIA_TYPES = {"jsonl": "application/jsonl", "zip": "application/zip", "csv": "text/csv; charset=utf-8"}
_UNKNOWN = {
    "request": "There is no such upload.",
    "batch": "There is no such batch.",
    "files": "Not all of these files are there.",
}
_SIGNATURE = frozenset({"expires", "signature"})


class Wanted(NamedTuple):
    """What is exported, and how. `of` is collection, request, batch or files. `id` is the id of the request or batch, or the
    list of the files' ids.
    """

    of: str
    id: str | list[str] | None
    collection_id: str | None
    kind: str
    format: str
    after: FilePlace


class Exports:
    """Answers requests for exports, and counts open ones."""

    def __init__(self, pool: asyncpg.Pool, queries: Queries, store: ObjectStore, links: SignedLinks, at_once: int) -> None:
        """`at_once` is the most exports that are sent at the same time; each takes a connection to the object store."""
        self._pool = pool
        self._queries = queries
        self._store = store
        self._links = links
        self._at_once = at_once
        self._open = 0
        metrics.EXPORTS.set_function(lambda: self._open)

    def signed(self, request: Request) -> Principal | None:
        """Returns EVERYBODY if the request came by a signed link, because the token that made the link could read all that it
        names. Returns None for another request. Raises Problem.
        """
        return EVERYBODY if self._links.allows(f"/{_target(request)}", request.query_params) else None

    async def link(self, request: Request, principal: Principal) -> Response:
        """Answers with a signed link to the export, for browsers, which cannot send a token with a download."""
        wanted = wanted_of(request)
        await self._name(scope(reader(principal), wanted.collection_id), wanted)
        return json_response({"link": self._links.signed(_target(request))})

    async def answer(self, request: Request, principal: Principal) -> Response:
        """Answers with the export as a stream. Raises Problem 403, 404, 422 or 503."""
        wanted = wanted_of(request)
        where = scope(reader(principal), wanted.collection_id)
        name = await self._name(where, wanted)
        ask = partial(self._page, where, wanted)
        first = await ask(wanted.after)
        if self._open >= self._at_once:
            raise Problem(503, "busy", "Too many exports are being sent. Try again in a while.", headers=RETRY_AFTER)
        self._open += 1
        headers = {"Content-Disposition": content_disposition(f"{name}.{wanted.kind}.{wanted.format}", "attachment")}
        stream = self._stream(wanted, rows(first, ask))
        return HeldResponse(_counted(stream, wanted), 200, headers, _MEDIA_TYPES[wanted.format], self._release)

    async def _name(self, where: Scope, wanted: Wanted) -> str:
        """Returns a name of what is exported, for the filename. Raises Problem 404 if it does not exist."""
        if wanted.of == "collection":
            return wanted.collection_id or ""
        row = await self._pool.fetchrow(_SQL[f"names_{wanted.of}"], *await self._queries.bounds(where), wanted.id)
        if row is None:
            raise Problem(404, "not_found", _UNKNOWN[wanted.of])
        return str(row["name"])

    async def _page(self, where: Scope, wanted: Wanted, place: FilePlace) -> Sequence[FileRow]:
        bounds = await self._queries.bounds(where)
        found = await self._pool.fetch(_SQL[f"of_{wanted.of}"], *bounds, wanted.id, *place, BATCHES_AT_ONCE)
        return [FileRow(*row) for row in found]

    def _stream(self, wanted: Wanted, found: AsyncGenerator[FileRow, None]) -> AsyncGenerator[bytes, None]:
        fetch = partial(object_bytes, self._store)
        if wanted.kind == "report":
            return _REPORTS[wanted.format](found, partial(file_view, link=self._links))
        if wanted.kind == "original":
            return zipped(formats.original_entries(found, fetch))
        return _TEXTS[wanted.format](found, fetch)

    def _release(self) -> None:
        self._open -= 1


def wanted_of(request: Request) -> Wanted:
    """Returns what a request asks for. Raises Problem 422."""
    query = request.query_params
    request_id, batch_id = optional_uuid(request, "request_id"), optional_uuid(request, "batch_id")
    file_ids, collection_id = uuids(request, "file_id", MOST_FILES), query.get("collection_id")
    if collection_id is not None:
        readable(EVERYBODY, collection_id)
    of = [(kind, name) for kind, name in (("request", request_id), ("batch", batch_id), ("files", file_ids)) if name]
    if not of and collection_id is None:
        raise Problem(422, "invalid_export", "Say what: collection_id, request_id, batch_id, or file_id, once or several times.")
    if len(of) > 1:
        raise Problem(422, "invalid_export", "Say one of request_id, batch_id and file_id.")
    kind = one_of(request, "kind", KINDS)
    form = one_of(request, "format", FORMATS, default=_FORMATS[kind][0])
    if form not in _FORMATS[kind]:
        raise Problem(422, "invalid_format", f"{kind} comes as {' or '.join(_FORMATS[kind])}.")
    after = file_place_of(query.get("cursor"), "upload")
    if after is not None and form != "jsonl":
        raise Problem(422, "invalid_cursor", "Only jsonl goes on from a cursor.")
    what, name = of[0] if of else ("collection", None)
    return Wanted(what, name, collection_id, kind, form, after or _BEGIN)


async def rows(
    first: Sequence[FileRow], ask: Callable[[FilePlace], Awaitable[Sequence[FileRow]]]
) -> AsyncGenerator[FileRow, None]:
    """Yields all rows, page by page."""
    page = first
    while page:
        for row in page:
            yield row
        last = page[-1]
        place = FilePlace(last.created_at, UUID(last.batch_id), last.position, UUID(last.id))
        page = await patiently(partial(ask, place))


async def _counted(stream: AsyncGenerator[bytes, None], wanted: Wanted) -> AsyncGenerator[bytes, None]:
    outcome = "broken"
    try:
        async with aclosing(stream):
            async for chunk in stream:
                if chunk:
                    metrics.EXPORTED_BYTES.labels(wanted.kind).inc(len(chunk))
                    yield chunk
        outcome = "whole"
    except GeneratorExit:
        outcome = "left"
        raise
    finally:
        metrics.EXPORTS_ENDED.labels(wanted.kind, outcome).inc()


def _target(request: Request) -> str:
    """Returns the part of an export's address that is signed, with its parameters in one order."""
    return "api/export?" + urlencode(sorted(pair for pair in request.query_params.multi_items() if pair[0] not in _SIGNATURE))
