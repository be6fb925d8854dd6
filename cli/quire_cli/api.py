"""Client of Quire's HTTP API (docs/design.md, "Contracts"), as far as the commands need it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec
from msgspec import Struct

from quire_cli.errors import NOT_ALL, USAGE, CliError
from quire_cli.target import Target
from quire_schemas.messages import Subscribed
from quire_schemas.text import scrub
from quire_schemas.views import BatchView, CommandAccepted, Config, FileView, Page, RequestCommandAccepted, RequestView

T = TypeVar("T")
Each = TypeVar("Each")
TIMEOUT = httpx.Timeout(30, connect=10)
PASSING = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses after which the same request may succeed."""
LONGEST_PAUSE_S = 5.0
PAGE = 500
"""Number of items that the notifier gives at most in one page."""
NO_PROXY: dict[str, None] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}


class Collection(Struct, frozen=True):
    """The field that is read of an item of GET /api/collections."""

    collection_id: str


class NamedBatch(Struct, frozen=True):
    """The field that is read of a batch that an error answer names."""

    batch_id: str


class ProblemBody(Struct, frozen=True):
    """The fields that are read of RFC 9457 problem JSON.

    An upload that was refused half-way has `batches`, which run, and `unknown`, which may run or not.
    """

    detail: str | None = None
    code: str | None = None
    batches: list[NamedBatch] = []
    unknown: list[NamedBatch] = []


class Answered(CliError):
    """Quire answered with an error status. `running` has the ids of batches that run although the upload was refused, `perhaps`
    those of batches of which it is not known whether they run.
    """

    def __init__(self, status: int, body: ProblemBody, detail: str, retry_after: float | None) -> None:
        super().__init__(detail)
        self.status, self.code, self.retry_after = status, body.code, retry_after
        self.running = [each.batch_id for each in body.batches]
        self.perhaps = [each.batch_id for each in body.unknown]
        self.exit_code = NOT_ALL if status in {404, 409, 422} else USAGE


class Unreachable(CliError):
    """No server answered, or the connection broke off."""


class BrokenOff(Unreachable):
    """A connection was made, and then broke off."""


class Api:
    """One notifier and the ingest that belongs to it."""

    def __init__(self, client: httpx.AsyncClient, target: Target) -> None:
        self.client = client
        self.target = target
        self._config: Config | None = None

    async def config(self) -> Config:
        if self._config is None:
            self._config = await self._get("/api/config", Config)
        return self._config

    async def ingest_url(self) -> str:
        return self.target.ingest or (await self.config()).ingest_url.rstrip("/") or self.target.notifier

    async def batch(self, batch_id: str) -> BatchView:
        return await self._get(f"/api/batches/{path_safe(batch_id)}", BatchView)

    async def snapshot(self, collection: str, cursor: str) -> list[Subscribed]:
        """Returns the active batches after `cursor`, the `next_cursor` of a snapshot."""
        return await self._get(f"/api/collections/{path_safe(collection)}/snapshot", list[Subscribed], cursor=cursor)

    async def collections(self) -> list[str]:
        return [each.collection_id for each in (await self._get("/api/collections", Page[Collection], limit=PAGE)).items]

    async def request(self, request_id: str) -> RequestView:
        return await self._get(f"/api/requests/{path_safe(request_id)}", RequestView)

    async def requests(self, *, limit: int, **filters: str | None) -> list[RequestView]:
        """Returns at most `limit` uploads, the newest first, from as many pages as needed."""
        return await self._listed("/api/requests", Page[RequestView], limit, filters)

    async def file(self, file_id: str) -> FileView:
        return await self._get(f"/api/files/{path_safe(file_id)}", FileView)

    async def files(self, **filters: str | None) -> list[FileView]:
        """Returns the newest page of the files that match the filters."""
        return (await self._get("/api/files", Page[FileView], limit=PAGE, **filters)).items

    async def search(self, words: str, *, limit: int, collection_id: str | None) -> Page[FileView]:
        within = {"in": "text", "collection_id": collection_id}
        return await self._get("/api/files", Page[FileView], q=words, limit=limit, **within)

    async def batches(self, *, limit: int, **filters: str | None) -> list[BatchView]:
        """Returns at most `limit` batches, the newest first, from as many pages as needed."""
        return await self._listed("/api/batches", Page[BatchView], limit, filters)

    async def stuck(self, older_than: float) -> list[BatchView]:
        return (await self._get("/api/stuck", Page[BatchView], older_than=older_than)).items

    async def oldest_queued(self) -> BatchView | None:
        return next(iter((await self._get("/api/waiting", Page[BatchView], limit=1)).items), None)

    async def cancel(self, batch_id: str, reason: str | None) -> CommandAccepted:
        return await self._command(f"batches/{path_safe(batch_id)}/cancel", _because(reason), CommandAccepted)

    async def retry(self, batch_id: str, file_ids: list[str], *, force: bool) -> CommandAccepted:
        return await self._command(f"batches/{path_safe(batch_id)}/retry", {"force": force} | _only(file_ids), CommandAccepted)

    async def cancel_request(self, request_id: str, reason: str | None) -> RequestCommandAccepted:
        return await self._command(f"requests/{path_safe(request_id)}/cancel", _because(reason), RequestCommandAccepted)

    async def retry_request(self, request_id: str, file_ids: list[str]) -> RequestCommandAccepted:
        return await self._command(f"requests/{path_safe(request_id)}/retry", _only(file_ids), RequestCommandAccepted)

    async def send(self, method: str, url: str, **request: Any) -> httpx.Response:
        """Sends a request; returns the answer whatever its status. Raises Unreachable, or CliError for a wrong URL."""
        try:
            return await self.client.request(method, url, **request)
        except httpx.InvalidURL as error:
            raise CliError(f"{url} is no address ({error}). Give one like http://127.0.0.1:8000") from error
        except httpx.TransportError as error:
            raise _no_answer(url, error) from error

    async def _get(self, path: str, kind: type[T], **params: Any) -> T:
        url = f"{self.target.notifier}{path}"
        present = {name: value for name, value in params.items() if value is not None}
        return read(await self.send("GET", url, params=present), kind)

    async def _listed(self, path: str, kind: type[Page[Each]], limit: int, filters: dict[str, str | None]) -> list[Each]:
        found: list[Each] = []
        cursor: str | None = None
        while len(found) < limit:
            page = await self._get(path, kind, limit=min(PAGE, limit - len(found)), cursor=cursor, **filters)
            found += page.items
            if (cursor := page.next_cursor) is None:
                break
        return found[:limit]

    async def _command(self, path: str, body: dict[str, Any], kind: type[T]) -> T:
        return read(await self.send("POST", f"{await self.ingest_url()}/api/{path}", json=body), kind)


@asynccontextmanager
async def connect(target: Target) -> AsyncIterator[Api]:
    headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT, mounts=NO_PROXY) as client:
        yield Api(client, target)


def _because(reason: str | None) -> dict[str, Any]:
    return {} if reason is None else {"reason": reason}


def _only(file_ids: list[str]) -> dict[str, Any]:
    return {"file_ids": file_ids} if file_ids else {}


def read(response: httpx.Response, kind: type[T]) -> T:
    """Returns the body as `kind`. Raises Answered when the status is an error, CliError when it is no answer of Quire."""
    if response.is_error:
        raise refusal(response)
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        url = response.request.url
        raise CliError(
            f"{url} answered, but not as Quire does: is this the right address, and the same version? {error}"
        ) from error


def refusal(response: httpx.Response) -> Answered:
    try:
        body = msgspec.json.decode(response.content, type=ProblemBody)
    except msgspec.DecodeError:
        body = ProblemBody()
    detail = scrub(body.detail) if body.detail else _not_quires(response)
    if body.code == "not_found" and detail == "Not Found":
        detail = (
            f"{response.request.url} is not there. Name the notifier with --url: of `quire up` it is port 8000, not ingest's."
        )
    elif body.code == "not_found":
        detail = f"{detail.rstrip('.')}; `quire batches` lists those that there are."
    if response.status_code == 401:
        detail = f"{detail} (set QUIRE_TOKEN to a token for this Quire)"
    wait = response.headers.get("retry-after", "")
    return Answered(response.status_code, body, detail, float(wait) if wait.isdecimal() else None)


def _not_quires(response: httpx.Response) -> str:
    """Returns the sentence for an answer that is not Quire's: where it may come from, and what to do."""
    url = response.request.url.copy_with(query=None)
    said = f"{url} answered {response.status_code} {response.reason_phrase}".rstrip()
    if response.status_code == 413:
        return (
            f"{said}: not Quire, but something in front of it takes no body of that size. Raise its limit (of nginx: "
            "client_max_body_size), or name ingest itself with QUIRE_INGEST_URL."
        )
    if response.is_client_error and response.request.method == "POST":
        return f"{said}: not Quire, but something in front of it. Have that let it through, or name ingest with QUIRE_INGEST_URL."
    return f"{said}: is that Quire?"


async def patiently(ask: Callable[[], Any], patience: float, told: Callable[[str, float], None]) -> Any:
    """Returns the result of `ask()`. During an outage it is called again, for `patience` seconds in all.

    `told(reason, pause)` is called before each pause, with its length in seconds. Raises the last error.
    """
    since, pause = time.monotonic(), 0.5
    while True:
        try:
            return await ask()
        except (Unreachable, Answered) as error:
            if isinstance(error, Answered) and error.status not in PASSING:
                raise
            wait = (error.retry_after if isinstance(error, Answered) else None) or pause
            if time.monotonic() + wait - since > patience:
                raise
            told(str(error), wait)
        await asyncio.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def path_safe(name: str) -> str:
    """Returns the name escaped as one component of a URL's path."""
    return httpx.URL(path=f"/{name.strip()}").raw_path.decode()[1:].replace("/", "%2F") or "-"


def _no_answer(url: str, error: httpx.TransportError) -> Unreachable:
    base = "/".join(url.split("/")[:3])
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        cure = "Start Quire with `quire up`, or name another address with --url or QUIRE_URL."
        return Unreachable(f"Nothing answers at {base}. {cure}")
    return BrokenOff(f"The connection to {base} broke off ({str(error) or type(error).__name__}).")
