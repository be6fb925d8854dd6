"""Whatever a client asks the notifier for, the answer is about that: never a 5xx, and an error is a problem with a code."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.integration.test_access import SECRET, bearer, token
from tests.samples_pdf import simple_pdf

Headers = list[tuple[bytes, bytes]]

COLLECTION = "/api/collections/default"
FILES = [f"/api/files/FILE/{kind}" for kind in ("original", "text", "thumbnail")]
TO_ASK = [
    "/api/feed?batch_id=BATCH",
    "/api/export?request_id=REQUEST",
    "/api/export?collection_id=default&format=zip",
    "/api/export/link?batch_id=BATCH",
    "/api/export?file_id=FILE",
    "/api/files?request_id=REQUEST&order=upload",
    "/api/files?in=text&q=Quire",
]
ROUTES = [
    "/",
    "/quire.js",
    "/openapi.json",
    "/docs",
    "/docs/events",
    "/batches/a",
    "/ws",
    "/api/config",
    "/api/collections",
    f"{COLLECTION}/feed",
    f"{COLLECTION}/events",
    f"{COLLECTION}/snapshot",
    "/api/batches",
    "/api/batches/BATCH",
    "/api/batches/BATCH/state",
    "/api/files",
    "/api/files/FILE",
    "/api/stuck",
    "/api/waiting",
    "/api/requests",
    "/api/requests/REQUEST",
    "/api/requests/REQUEST/failures",
    "/api/failures",
    "/api/requests/REQUEST/states",
    *TO_ASK,
    *FILES,
]
"""BATCH, FILE and REQUEST stand for the ids of those that are there."""
PATH = [
    "/",
    "//",
    "..",
    "%2e%2e",
    "%2f",
    "%00",
    "%ff",
    "%ED%A0%80",
    "%",
    "\\",
    ":",
    "[",
    "a" * 300,
    "api",
    "batches",
    "files",
    "FILE",
]
NAMES = [
    "after",
    "batch_id",
    "code",
    "collection_id",
    "cursor",
    "download",
    "epoch",
    "expires",
    "file_id",
    "format",
    "in",
    "kind",
    "limit",
    "name",
    "older_than",
    "order",
    "q",
    "request_id",
    "signature",
    "status",
]
NUMBERS = ["-1", "0", "1", "2147483648", "9223372036854775807", "9" * 5_000, "1e400", "nan", "-inf", "%D9%A3", "1_0", "%00"]
TEXTS = [
    "",
    "default",
    "BATCH",
    "queued",
    "queued,failed",
    "%00",
    "%ff",
    "%ED%A0%80",
    "%E6%96%87",
    "%25",
    "%5C",
    "_",
    "%",
    "+",
    "&=",
    "text",
    "zip",
    "csv",
    "jsonl",
    "original",
    "report",
    "upload",
    "REQUEST",
    "%22",
    "-a",
    "%3C-%3E",
    "a:*",
    "(%7C!%26",
    "%E5%B1%B1",
]
TIMES = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00", "2026-11-26T00:00:00Z", 0, None]
IDS = ["00000000-0000-4000-8000-000000000000", "", None]
ORDERS = ["newest", "upload", "", None]
PLACES = [-(2**63) - 1, -1, 0, 2**31, 2**63, 2**64, 10**30, None]
DATES = [b"Thu, 26 Nov 2099 00:00:00 GMT", b"Thu, 26 Nov " + b"9" * 5_000, b"-", b"0"]
TAGS = [b"*", b'"', b'W/"a"', b'"a",' * 1_000, b"\xff"]
RANGES = [b"", b"bytes", b"bytes=", b"bytes=-", b"bytes=-1", b"bytes=9-", b"bytes=9999999-", b"bytes=\xb2-", b"lines=0-0"]
RANGES += [b"bytes=0-0,2-2", b"bytes=" + b"0-0," * 1_000, b"bytes=" + b"9" * 5_000 + b"-"]
FIELDS = {
    b"accept": [b"", b"*", b"text/plain;q=", b"application/json, text/plain", b"\xff"],
    b"access-control-request-headers": [b"", b"a", b","],
    b"access-control-request-method": [b"GET", b"PUT", b""],
    b"content-type": [b"multipart/form-data; boundary=", b"application/json; charset=undefined", b"\xff"],
    b"if-modified-since": DATES,
    b"if-none-match": TAGS,
    b"if-range": DATES + TAGS,
    b"last-event-id": [b":1", b"e:", b"e:-1", b"e:\xb2", b"e:1:1", b"e:9223372036854775808", b"e:" + b"9" * 5_000, b"\xff"],
    b"origin": [b"http://localhost", b"http://[", b"null", b"\xff"],
    b"range": RANGES,
    b"traceparent": [b"00-", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\xff"],
    b"x-forwarded-for": [b"", b"[", b"::1, a"],
    b"x-forwarded-proto": [b"", b"ftp"],
}
WHO = {
    b"authorization": [
        b"",
        b"Bearer",
        b"Bearer a.b.c",
        b"Bearer e30.e30.",
        b"Bearer eyJhbGciOiJub25lIn0.e30.",
        b"Basic =",
        b"\xff",
    ],
    b"host": [b"", b"[", b"[::1", b"a:b", b"a@b", b"\xff", b"%00", b"a/b?c#d"],
}
METHODS = ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUIRE", "get"]


def of(pieces: Sequence[str], most: int = 6) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), min_size=1, max_size=most).map("".join)


def cursor(*fields: Sequence[object]) -> st.SearchStrategy[str]:
    place = st.tuples(*map(st.sampled_from, fields))
    return place.map(lambda place: urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("="))


CURSORS = cursor(TIMES, IDS) | cursor(ORDERS, TIMES, IDS, PLACES, IDS) | cursor(PLACES, TIMES, IDS)
ANY_VALUE = st.sampled_from(NUMBERS) | of(TEXTS, 3) | CURSORS
QUERIES = st.lists(st.tuples(st.sampled_from(NAMES), ANY_VALUE).map("=".join), max_size=3).map("&".join)
GOING_ON = CURSORS.map("cursor={}".format)


def some(fields: Mapping[bytes, Sequence[bytes]]) -> st.SearchStrategy[Headers]:
    """As a server lets them through."""
    values = {name: st.sampled_from(values) for name, values in fields.items()}
    return st.fixed_dictionaries({}, optional=values).map(lambda headers: list(headers.items()))


class Answer(NamedTuple):
    status: int
    media_type: str
    content: bytes

    def is_honest(self) -> bool:
        """A success, or a problem that says which; that of a HEAD has no content."""
        if self.status < 400:
            return True
        named = not self.content or re.fullmatch("[a-z_]+", json.loads(self.content)["code"]) is not None
        return self.status < 500 and self.media_type == "application/problem+json" and named


class Asked(NamedTuple):
    """A notifier under jwt, with a batch and a file that are there."""

    client: Client
    batch: str
    file: str
    request: str

    async def ask(self, target: str, headers: Headers, method: str = "GET", body: bytes = b"") -> Answer:
        """As it stands: nothing of it is made well-formed on the way. Of a stream only the head is waited for."""
        whole = target.replace("BATCH", self.batch).replace("FILE", self.file).replace("REQUEST", self.request).encode()
        usual = {b"host": b"localhost", b"authorization": bearer(token(collections=["*"]))["Authorization"].encode()}
        request = httpx.Request(
            method,
            self.client.quire.notifier_url,
            headers=[*(usual | dict(headers)).items()],
            content=body,
            extensions={"target": whole},
        )
        answer = await self.client.http.send(request, stream=True)
        try:
            media_type = answer.headers.get("content-type", "")
            content = b"" if media_type.startswith("text/event-stream") else await answer.aread()
            return Answer(answer.status_code, media_type, content)
        finally:
            await answer.aclose()


@pytest.fixture(scope="module")
async def asked(stack: Stack) -> AsyncIterator[Asked]:
    async with serving(stack, settings={"QUIRE_AUTH": "jwt", "QUIRE_AUTH_SECRET": SECRET}) as client:
        client.http.headers.update(bearer(token(collections=["*"])))
        [batch_id] = await client.accepted([("a.pdf", simple_pdf())])
        batch = await client.ended(batch_id)
        [file] = batch["files"]
        yield Asked(client, batch_id, file["file_id"], batch["request_id"])


@pytest.mark.parametrize("route", [route for route in ROUTES if route != "/ws"])
async def test_what_is_well_formed_is_answered(asked: Asked, route: str) -> None:
    assert (await asked.ask(route, [])).status == 200


@given(path=of(PATH).map("/".__add__) | st.sampled_from(ROUTES), query=QUERIES)
async def test_no_path_or_query_is_an_error_of_ours(asked: Asked, path: str, query: str) -> None:
    assert (answer := await asked.ask(f"{path}{'&' if '?' in path else '?'}{query}", [])).is_honest(), answer


OF_UPLOAD = "/api/files?request_id=REQUEST&order=upload"
CONTINUED = ["/api/batches", "/api/files", OF_UPLOAD, "/api/waiting", f"{COLLECTION}/snapshot", "/api/requests", "/api/export"]


@given(words=of(TEXTS) | st.text(max_size=40).map(quote))
async def test_nor_are_words_that_are_looked_for(asked: Asked, words: str) -> None:
    assert (answer := await asked.ask(f"/api/files?in=text&q={words}", [])).is_honest(), answer


@given(route=st.sampled_from([*CONTINUED, "/api/requests/REQUEST/states"]), query=GOING_ON)
async def test_nor_is_a_cursor_that_is_none_of_ours(asked: Asked, route: str, query: str) -> None:
    assert (answer := await asked.ask(f"{route}{'&' if '?' in route else '?'}{query}", [])).is_honest(), answer


@given(route=st.sampled_from(["/", "/quire.js", f"{COLLECTION}/events", *FILES]), headers=some(FIELDS))
@example(route=f"{COLLECTION}/events", headers=[(b"last-event-id", b"e:" + b"9" * 5_000)])
async def test_nor_are_headers(asked: Asked, route: str, headers: Headers) -> None:
    assert (answer := await asked.ask(route, headers)).is_honest(), answer


@given(route=st.sampled_from(ROUTES), headers=some(WHO))
async def test_nor_is_who_asks_and_whom(asked: Asked, route: str, headers: Headers) -> None:
    assert (answer := await asked.ask(route, headers)).is_honest(), answer


@given(route=st.sampled_from(ROUTES), method=st.sampled_from(METHODS), headers=some(FIELDS), body=st.binary())
async def test_nor_are_a_method_and_a_body(asked: Asked, route: str, method: str, headers: Headers, body: bytes) -> None:
    assert (answer := await asked.ask(route, headers, method, body)).is_honest(), answer
