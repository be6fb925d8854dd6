"""The routes of the HTTP API (docs/design.md, "Contracts"). They parse requests and build answers, and leave decisions to other
modules.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import NamedTuple, get_args

from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from quire_notifier.projecting.rows import FileRow
from quire_notifier.pushing.feed import Feed
from quire_notifier.pushing.hub import Hub
from quire_notifier.web.access import readable, reader, scope
from quire_notifier.web.contents import Contents
from quire_notifier.web.exports import Exports
from quire_notifier.web.links import SignedLinks
from quire_notifier.web.operations import Operation, guarded, observed
from quire_notifier.web.paging import ORDERS, feed_page, file_place_of, onward_of, place_of
from quire_notifier.web.parameters import (
    MAX_SEQ,
    cursor_name,
    limit_of,
    name_of,
    number,
    one_of,
    optional_uuid,
    uuid_of,
    words,
    words_of,
)
from quire_notifier.web.queries import Queries, Within, literal
from quire_notifier.web.requests import RequestRow, Requests
from quire_notifier.web.row_views import file_view, state_view
from quire_notifier.web.search import Search
from quire_notifier.web.sse import Streams
from quire_runtime.auth import Authenticator, Principal
from quire_runtime.http import Problem, json_response
from quire_schemas.events import STANDINGS, STATUSES, FileCode
from quire_schemas.states import BatchState
from quire_schemas.stored import encode_state
from quire_schemas.views import Config, Page

KINDS = ("original", "text", "thumbnail")
SOUGHT_IN = ("name", "text")
CODES: tuple[FileCode, ...] = get_args(FileCode)
MOST_STATES = 100
"""States in one answer at most; each takes about 10 KB."""


class Sources(NamedTuple):
    """The parts that answers come from."""

    queries: Queries
    requests: Requests
    search: Search
    feed: Feed
    contents: Contents
    exports: Exports
    streams: Streams
    hub: Hub


class Api:
    """The routes of the API."""

    def __init__(self, sources: Sources, authenticator: Authenticator, links: SignedLinks, config: Config) -> None:
        self._queries, self._requests, self._search, self._feed, self._contents, self._exports, self._streams, self._hub = sources
        self._authenticator = authenticator
        self._links = links
        self._config = config

    def routes(self) -> list[Route]:
        table: dict[str, Operation] = {
            "/api/collections": self._collections,
            "/api/collections/{collection_id}/feed": self._messages,
            "/api/collections/{collection_id}/events": self._events,
            "/api/collections/{collection_id}/snapshot": self._snapshot,
            "/api/batches": self._batches,
            "/api/batches/{batch_id}": self._batch,
            "/api/batches/{batch_id}/state": self._state,
            "/api/files": self._files,
            "/api/files/{file_id}": self._file,
            "/api/requests": self._list_requests,
            "/api/requests/{request_id}": self._request,
            "/api/requests/{request_id}/failures": self._failures,
            "/api/requests/{request_id}/states": self._states,
            "/api/failures": self._failures_of_collection,
            "/api/feed": self._batch_messages,
            "/api/export/link": self._exports.link,
            "/api/stuck": self._stuck,
            "/api/waiting": self._waiting,
        }
        return [
            Route("/api/config", self._get_config),
            *(Route(path, guarded(self._authenticator, path, operation)) for path, operation in table.items()),
            Route("/api/files/{file_id}/{kind}", self._content),
            Route("/api/export", self._export),
        ]

    async def _get_config(self, _request: Request) -> Response:
        return json_response(self._config)

    async def _collections(self, request: Request, principal: Principal) -> Response:
        """Answers with all collections that the token may read, or with the one that is named."""
        where = scope(reader(principal), request.query_params.get("collection_id"))
        names = where.patterns if where.collection_id is None else [literal(where.collection_id)]
        return json_response(await self._queries.collections(names, cursor_name(request), limit_of(request)))

    async def _batches(self, request: Request, principal: Principal) -> Response:
        where = scope(reader(principal), request.query_params.get("collection_id"))
        request_id = optional_uuid(request, "request_id")
        listed = self._queries.batches if request_id is None else partial(self._queries.batches_of, request_id)
        place = place_of(request.query_params.get("cursor"))
        return json_response(await listed(where, words(request, "status", STATUSES), place, limit_of(request)))

    async def _batch(self, request: Request, principal: Principal) -> Response:
        """Answers with one batch. A token that may only write gets it too, to follow its upload, but with unsigned links to the
        contents.
        """
        state = await self._known(request, principal.may_follow)
        may_read = principal.may_read(state.collection_id)
        return json_response(state_view(state, self._links if may_read else self._links.unsigned))

    async def _state(self, request: Request, principal: Principal) -> Response:
        """Answers with the stored state of a batch, on which ingest decides a cancel or a retry."""
        state = await self._known(request, principal.may_follow)
        return Response(encode_state(state), media_type="application/json")

    async def _known(self, request: Request, may: Callable[[str], bool]) -> BatchState:
        state = await self._queries.state(uuid_of(request.path_params["batch_id"], "batch"))
        if state is None or not may(state.collection_id):
            raise Problem(404, "not_found", "There is no such batch.")
        return state

    async def _files(self, request: Request, principal: Principal) -> Response:
        where = scope(reader(principal), request.query_params.get("collection_id"))
        batch_id, request_id = optional_uuid(request, "batch_id"), optional_uuid(request, "request_id")
        in_text, order = one_of(request, "in", SOUGHT_IN) == "text", one_of(request, "order", ORDERS)
        if order == "upload" and (in_text or (batch_id is None and request_id is None)):
            detail = "order=upload is that of the files of a request_id or batch_id; what is found in texts comes newest first."
            raise Problem(422, "invalid_order", detail)
        place, limit = file_place_of(request.query_params.get("cursor"), order), limit_of(request)
        statuses, codes = words(request, "status", STANDINGS), words(request, "code", CODES)
        within = Within(batch_id, request_id, statuses, codes, order)
        sought, name = words_of(request), name_of(request)
        if in_text and sought is not None:
            return json_response(await self._search.files(where, place, limit, within, sought))
        return json_response(await self._queries.files(where, place, limit, within, sought or name))

    async def _file(self, request: Request, principal: Principal) -> Response:
        return json_response(file_view(await self._found(request, reader(principal)), self._links))

    async def _content(self, request: Request) -> Response:
        """Answers with a content of a file, by a signed link or with a token."""
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise Problem(404, "not_found", f"A file has {', '.join(KINDS)}.")

        async def answer(request: Request, principal: Principal | None) -> Response:
            return await self._contents.answer(request, await self._found(request, principal), kind)

        if self._links.allows(request.scope["path"], request.query_params):
            return await observed(request, f"/api/files/{{file_id}}/{kind}", lambda: answer(request, None))
        return await guarded(
            self._authenticator, f"/api/files/{{file_id}}/{kind}", lambda request, who: answer(request, reader(who))
        )(request)

    async def _found(self, request: Request, principal: Principal | None) -> FileRow:
        file = await self._queries.file(uuid_of(request.path_params["file_id"], "file"))
        if file is None or not (principal is None or principal.may_read(file.collection_id)):
            raise Problem(404, "not_found", "There is no such file.")
        return file

    async def _events(self, request: Request, principal: Principal) -> Response:
        name = readable(reader(principal), request.path_params["collection_id"])
        return self._streams.answer(request, name, principal)

    async def _snapshot(self, request: Request, principal: Principal) -> Response:
        """Answers with the list of messages that begin a subscription. With `cursor`, answers with the batches that did not fit
        into these.
        """
        name = readable(reader(principal), request.path_params["collection_id"])
        after = onward_of(request.query_params.get("cursor"))
        snapshot = await (self._hub.snapshot(name) if after is None else self._hub.more(self._feed, name, after))
        return StreamingResponse(_listed(snapshot.texts), media_type="application/json")

    async def _list_requests(self, request: Request, principal: Principal) -> Response:
        where = scope(reader(principal), request.query_params.get("collection_id"))
        place = place_of(request.query_params.get("cursor"))
        return json_response(await self._requests.listed(where, words(request, "status", STATUSES), place, limit_of(request)))

    async def _request(self, request: Request, principal: Principal) -> Response:
        """Answers with one request. A token that may only write gets it too."""
        [view] = await self._requests.views([await self._known_request(request, principal.may_follow)])
        return json_response(view)

    async def _failures(self, request: Request, principal: Principal) -> Response:
        row = await self._known_request(request, reader(principal).may_read)
        return json_response(Page(items=await self._requests.failures(row), next_cursor=None))

    async def _failures_of_collection(self, request: Request, principal: Principal) -> Response:
        where = scope(reader(principal), request.query_params.get("collection_id"))
        return json_response(Page(items=await self._requests.failures_of_collection(where), next_cursor=None))

    async def _states(self, request: Request, principal: Principal) -> Response:
        """Answers ingest with the stored state of every batch of a request, in the order of the upload."""
        row = await self._known_request(request, principal.may_follow)
        place = place_of(request.query_params.get("cursor"))
        stored = await self._requests.states(row, place, min(limit_of(request), MOST_STATES))
        return json_response(Page(items=[Raw(state) for state in stored.states], next_cursor=stored.next_cursor))

    async def _known_request(self, request: Request, may: Callable[[str], bool]) -> RequestRow:
        rows = await self._requests.rows(uuid_of(request.path_params["request_id"], "upload"))
        found = next((row for row in rows if may(row.collection_id)), None)
        if found is None:
            raise Problem(404, "not_found", "There is no such upload.")
        return found

    async def _export(self, request: Request) -> Response:
        """Answers with an export, by a signed link or with a token."""
        who = self._exports.signed(request)
        if who is not None:
            return await observed(request, "/api/export", lambda: self._exports.answer(request, who))
        return await guarded(self._authenticator, "/api/export", self._exports.answer)(request)

    async def _stuck(self, request: Request, principal: Principal) -> Response:
        where = scope(reader(principal), request.query_params.get("collection_id"))
        older_than = number(request.query_params, "older_than", 60.0, least=0.0, most=1e9)
        return json_response(await self._queries.stuck(where, older_than))

    async def _waiting(self, request: Request, principal: Principal) -> Response:
        where = scope(reader(principal), request.query_params.get("collection_id"))
        return json_response(await self._queries.waiting(where, place_of(request.query_params.get("cursor")), limit_of(request)))

    async def _messages(self, request: Request, principal: Principal) -> Response:
        name = readable(reader(principal), request.path_params["collection_id"])
        after = number(request.query_params, "after", 0, least=0, most=MAX_SEQ)
        limit = limit_of(request)
        head = await self._feed.head(name)
        stretch = await self._feed.read(name, after, limit, kind="http")
        pruned = stretch.messages[0].seq != after + 1 if stretch.messages else after != head.last_seq
        if stretch.epoch != request.query_params.get("epoch", stretch.epoch) or pruned:
            detail = "The feed does not go on here: it was rebuilt, or older messages are gone. Fetch the batches again."
            raise Problem(410, "resync_required", detail, epoch=head.epoch, last_seq=head.last_seq, pruned_to=head.pruned_to)
        return json_response(feed_page(stretch, limit))

    async def _batch_messages(self, request: Request, principal: Principal) -> Response:
        """Answers with the messages of one batch that are still kept. They are numbered as messages of the collection, so there
        are gaps.
        """
        batch_id = optional_uuid(request, "batch_id")
        if batch_id is None:
            raise Problem(422, "invalid_batch_id", "Say of which batch: batch_id takes a UUID.")
        state = await self._queries.state(batch_id)
        if state is None or not reader(principal).may_read(state.collection_id):
            raise Problem(404, "not_found", "There is no such batch.")
        limit = limit_of(request)
        stretch = await self._feed.of_batch(batch_id, number(request.query_params, "after", 0, least=0, most=MAX_SEQ), limit)
        if stretch.epoch != request.query_params.get("epoch", stretch.epoch):
            raise Problem(410, "resync_required", "The feed was rebuilt. Begin again, without after.", epoch=stretch.epoch)
        return json_response(feed_page(stretch, limit))


async def _listed(texts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for position, text in enumerate(texts):
        yield b"," if position else b"["
        yield text
    yield b"]"
