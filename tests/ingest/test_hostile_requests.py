"""Whatever a client writes, the answer is about what it wrote: never a 5xx."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message
from tests.fakes.store import Store

from quire_ingest.app import Api
from quire_ingest.body import BodyLimits
from quire_ingest.commands import Commands
from quire_ingest.request_commands import RequestCommands
from quire_ingest.segments import Memory
from quire_ingest.standings import Standings
from quire_ingest.submission import UploadParts
from quire_ingest.uploads import UploadTerms
from quire_runtime.auth import Authenticator
from quire_runtime.clock import SystemClock
from quire_runtime.settings import AuthSettings
from quire_schemas.states import BatchState, FileState
from quire_schemas.stored import encode_state

BATCH = "00000000-0000-4000-8000-000000000000"
UPLOAD, CANCEL, RETRY = "/api/documents/process", f"/api/batches/{BATCH}/cancel", f"/api/batches/{BATCH}/retry"
REQUEST_CANCEL, REQUEST_RETRY = f"/api/requests/{BATCH}/cancel", f"/api/requests/{BATCH}/retry"
COMMANDS = [CANCEL, RETRY, REQUEST_CANCEL, REQUEST_RETRY]
BOUNDARY = b"----b"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = jwt.encode({"scope": "quire:write", "collections": ["*"], "exp": 2**33}, SECRET)

PIECES = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b" ",
    b";",
    b'"',
    b"\\",
    b"\x00",
    b"\xff",
    "文".encode(),
    b"--" + BOUNDARY,
    b"--" + BOUNDARY + b"--",
    b"Content-Disposition: form-data; ",
    b"Content-Type: application/pdf",
    b"Content-Type: text/plain; charset=undefined",
    b"Content-Length: 5",
    b"Content-Length: " + b"9" * 5_000,
    b"name=f",
    b"filename=",
    b'filename="a.pdf"',
    b"filename*=",
    b"; filename*=undefined''x",
    b"; filename*=idna''%00",
    b"UTF-8''",
    b"%ff%E6%96%87",
    b"%PDF-1.7",
    b"/" * 300,
]
JSON = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b'"reason":',
    b'"file_ids":',
    b'"force":',
    b'"\\ud800"',
    b'"a"',
    b"null",
    b"true",
    b"9" * 5_000,
]
QUERY = [b"collection_id=", b"policy=", b"isolate", b"&", b"=", b"%ff", b"%00", b"%zz", b"+", b"\xff", b"a" * 200]
NAMES = [b"idempotency-key", b"content-type", b"content-length", b"authorization", b"traceparent", b"origin", b"host", b"x-b3"]
VALUES = [
    b"multipart/form-data; boundary=",
    BOUNDARY,
    b'"',
    b";",
    b"charset=undefined",
    b"Bearer ",
    b"00-",
    b"\xff",
    b"-1",
    b"9" * 300,
]


def of(pieces: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(pieces) | st.binary(max_size=4), max_size=12).map(b"".join)


PART = st.tuples(of(PIECES), of(PIECES)).map(
    lambda part: b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (BOUNDARY, *part)
)
BODY = st.lists(PART, max_size=3).map(lambda parts: b"".join(parts) + b"--%b--" % BOUNDARY) | of(PIECES)
PATHS = st.sampled_from([UPLOAD, *COMMANDS]) | st.text().map(lambda text: f"/api/batches/{text}/cancel")
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), of(VALUES).map(lambda value: re.sub(rb"[\x00\s]+", b" ", value).strip())))
"""As a server lets them through."""


class Publisher:
    """A log that takes everything."""

    async def publish(self, _event: object) -> tuple[int, int]:
        return 0, 0


class Ingest(NamedTuple):
    """One that was just made, and has one batch."""

    auth: AuthSettings
    directory: Path

    def post(self, path: str, query: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> int:
        """The status of the answer."""
        return asyncio.run(self._post(path, query, headers, body))

    async def _post(self, path: str, query: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> int:
        half, sent = len(body) // 2, list[Message]()
        chunks = iter([(body[:half], True), (body[half:], False)])

        async def receive() -> Message:
            for chunk, more in chunks:
                return {"type": "http.request", "body": chunk, "more_body": more}
            return await asyncio.Future()  # the client waits for its answer

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "scheme": "http", "path": path, "query_string": query, "headers": headers}
        async with httpx.AsyncClient(base_url="http://notifier", transport=httpx.MockTransport(notifier)) as client:
            await self._api(client).app()(scope, receive, send)
        return cast("int", sent[0]["status"])

    def _api(self, client: httpx.AsyncClient) -> Api:
        clock = SystemClock()
        standings = Standings(client, clock)
        store, publisher = cast("Any", Store()), cast("Any", Publisher())
        commands = Commands(standings, publisher, clock)
        terms = UploadTerms(at_once=4, sends=asyncio.Semaphore(4), patience=0.0, memory=Memory(1 << 20), directory=self.directory)
        return Api(
            UploadParts(store=store, publisher=publisher, clock=clock, terms=terms, batch_size=2, max_file_bytes=100),
            (commands, RequestCommands(standings, commands)),
            Authenticator(self.auth),
            BodyLimits(
                request_bytes=100_000, files=3, idle_seconds=5.0, bytes_per_second=0.0, command_bytes=2**19, command_seconds=5.0
            ),
            ("http://localhost:8000",),
        )


def notifier(request: httpx.Request) -> httpx.Response:
    """It knows every batch, and that each is a request of its own."""
    file = FileState(file_id=BATCH, filename="a.pdf", size=1, sha256="0" * 64, object_key="k", updated_at=NOW, standing="failed")
    state = BatchState(
        batch_id=BATCH,
        collection_id="default",
        request_id=BATCH,
        policy="isolate",
        files={BATCH: file},
        offset=5,
        start_offset=5,
        created_at=NOW,
        status="failed",
    )
    stored = encode_state(state)
    of_request = request.url.path.endswith("/states")
    return httpx.Response(200, content=b'{"items": [%b], "next_cursor": null}' % stored if of_request else stored)


@pytest.fixture(params=["none", "jwt"], scope="module")
def ingest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ingest:
    return Ingest(AuthSettings(mode=request.param, secret=SECRET), tmp_path_factory.mktemp("scratch"))


def headers_of(more: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Well-formed ones, less those that the client writes itself."""
    usual = {b"content-type": b"multipart/form-data; boundary=" + BOUNDARY, b"authorization": b"Bearer " + TOKEN.encode()}
    return [*(usual | dict(more)).items()]


def test_what_is_well_formed_is_accepted(ingest: Ingest):
    body = b"--%b\r\nContent-Disposition: form-data; filename=a.pdf\r\n\r\n%%PDF-\r\n--%b--" % (BOUNDARY, BOUNDARY)
    assert ingest.post(UPLOAD, b"", headers_of([]), body) == 202
    for path in (RETRY, REQUEST_RETRY):
        assert ingest.post(path, b"", headers_of([]), b'{"file_ids": ["%b"]}' % BATCH.encode()) == 202


@given(body=BODY)
def test_no_body_of_an_upload_is_an_error_of_ours(ingest: Ingest, body: bytes):
    assert ingest.post(UPLOAD, b"", headers_of([]), body) < 500


@given(path=PATHS, query=of(QUERY), headers=HEADERS)
def test_nor_are_a_query_and_headers(ingest: Ingest, path: str, query: bytes, headers: list[tuple[bytes, bytes]]):
    assert ingest.post(path, query, headers_of(headers), b"") < 500


@given(path=st.sampled_from(COMMANDS), body=of(JSON))
def test_nor_is_the_body_of_a_command(ingest: Ingest, path: str, body: bytes):
    assert ingest.post(path, b"", headers_of([]), body) < 500
