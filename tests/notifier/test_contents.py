"""Contents of files over HTTP: representations, validators, and text that is never held whole."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import MagicMock

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quire_notifier.plain import BETWEEN_PAGES, PagesText, plain
from quire_notifier.web.contents import Contents, content_disposition, content_of
from quire_runtime.http import exception_handlers

PAGES = [{"page": 1, "text": 'One "quoted" \\ line\nand 降雨量'}, {"page": 2, "text": ""}, {"page": 3, "text": "\x01 😀"}]
TEXT = BETWEEN_PAGES.join(str(page["text"]) for page in PAGES)


def artefact(pages: list[dict[str, Any]]) -> bytes:
    """As the processor writes it, and more than it writes today."""
    traps = {"title": 'pages": [{"text": "no"}', "metadata": {"text": "no", "pages": "text"}, "notices": [{"text": "no"}]}
    return msgspec.json.encode({"page_count": len(pages), **traps, "pages": pages, "last": {"pages": [{"text": "no"}]}})


def read_in_pieces(text: str, size: int) -> str:
    reader = PagesText()
    return "".join(part for at in range(0, len(text), size) for part in reader.feed(text[at : at + size]))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_the_pages_text_is_the_same_however_the_artefact_is_cut(size: int) -> None:
    assert read_in_pieces(artefact(PAGES).decode(), size) == TEXT


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), st.integers(1, 50))
def test_so_is_any_text(texts: list[str], size: int) -> None:
    pages = [{"page": number, "text": text, "more": [text, {"text": text}]} for number, text in enumerate(texts, 1)]
    assert read_in_pieces(artefact(pages).decode(), size) == BETWEEN_PAGES.join(texts)
    escaped = msgspec.json.encode(artefact(pages).decode()).decode()  # and nothing of it is found in a string
    assert read_in_pieces(f'{{"pages": {escaped}}}', size) == ""


NO_TEXT = {"page": 1, "text": "", "missing": "no_text"}
UNREADABLE = {"page": 1, "text": "", "missing": "unreadable"}
CUT = {"page": 1, "text": "a", "missing": "cut"}
LATER = {"page": 1, "text": "a", "missing": "as a later version has it"}
B = {"page": 2, "text": "b"}


@pytest.mark.parametrize("size", [1, 5, 1_000])
@pytest.mark.parametrize(
    ("pages", "text"),
    [
        ([{"page": 1, "text": "a"}, B], "a\f\nb"),
        ([NO_TEXT, B], "[Page 1 has no text.]\f\nb"),
        ([{"page": 1, "text": " \n ", "missing": "no_text"}, B], "[Page 1 has no text.]\f\nb"),
        ([{"page": 1, "text": "  "}, {"page": 2, "text": "\n b"}], "  \f\n\n b"),
        ([UNREADABLE, B], "[Page 1 could not be read.]\f\nb"),
        ([CUT], "a\n[The text of page 1 goes on, but is cut here.]\f\n[What comes after page 1 was not read.]"),
        ([LATER, B], "a\f\nb"),
        ([], "[What comes after page 0 was not read.]"),
    ],
)
def test_a_mark_stands_where_text_is_missing(pages: list[dict[str, object]], text: str, size: int) -> None:
    for order in ({"page_count": 2, "pages": pages}, {"pages": pages, "page_count": 2}):
        assert read_in_pieces(msgspec.json.encode(order).decode(), size) == text


def test_what_an_older_version_wrote_is_shown_as_it_is() -> None:
    assert read_in_pieces('{"pages": [{"page": 1, "text": ""}, {"page": 2, "text": "b"}]}', 7) == "\f\nb"


async def test_bytes_may_be_cut_within_a_character() -> None:
    data = artefact(PAGES)

    async def chunks() -> AsyncIterator[bytes]:
        for byte in data:
            yield bytes([byte])

    assert b"".join([part async for part in plain(chunks())]).decode() == TEXT


def test_of_a_page_of_any_length_only_a_piece_is_held() -> None:
    reader = PagesText()
    piece = "x\\n" * 1_000
    for part in ('{"pages": [{"page": 1, "text": "', *[piece] * 1_000):
        for text in reader.feed(part):
            assert len(text) <= len(piece)
        assert len(reader._rest) + len(reader._string) < 100


class Stream:
    """As `quire_runtime.storage.ObjectStream`."""

    content_range = None

    def __init__(self, data: bytes) -> None:
        self._chunks = [data[at : at + 16] for at in range(0, len(data), 16)]
        self.size = len(data)
        self.closed = False

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        if not self._chunks:
            raise StopAsyncIteration
        return self._chunks.pop(0)

    async def aclose(self) -> None:
        self.closed = True


class Store:
    def __init__(self) -> None:
        self.streams: list[Stream] = []

    async def stream(self, key: str, *, first: int, last: int | None) -> Stream:
        self.streams.append(Stream(artefact(PAGES) if key == "the text" else key.encode()))
        return self.streams[-1]


FILE = MagicMock(
    original_filename="Report.PDF", sha256="0" * 64, object_key="original", text_key="the text", thumbnail_key="0.webp"
)


@asynccontextmanager
async def reading(at_once: int = 10) -> AsyncIterator[tuple[httpx.AsyncClient, Store, Contents]]:
    store: Any = Store()
    contents = Contents(store, at_once)

    async def content(request: Request) -> Response:
        return await contents.answer(request, FILE, request.path_params["kind"])

    app = Starlette(routes=[Route("/{kind}", content)], exception_handlers=exception_handlers())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://quire") as client:
        yield client, store, contents


JSON, PLAIN = {"Accept": "application/json"}, {"Accept": "text/html,*/*;q=0.8"}


async def test_text_as_json_and_plain_text_are_two_representations() -> None:
    async with reading() as (client, _, _):
        as_json, as_plain = await client.get("/text", headers=JSON), await client.get("/text", headers=PLAIN)
        assert as_json.json()["pages"] == PAGES
        assert as_plain.text == TEXT
        assert as_json.headers["etag"] != as_plain.headers["etag"]
        assert {answer.headers["vary"] for answer in (as_json, as_plain)} == {"Accept"}
        crossed = await client.get("/text", headers={**PLAIN, "If-None-Match": as_json.headers["etag"]})
        assert (crossed.status_code, crossed.text) == (200, TEXT)
        assert 'filename="Report.txt"' in as_plain.headers["content-disposition"]
        download = await client.get("/text?download", headers=PLAIN)
        assert download.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("accept", [JSON, PLAIN])
@pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', '"a,b" , W/"c", W/{}', "*"])
async def test_who_has_the_representation_already_is_told_so(accept: dict[str, str], given: str) -> None:
    async with reading() as (client, _, _):
        etag = (await client.get("/text", headers=accept)).headers["etag"]
        answer = await client.get("/text", headers={**accept, "If-None-Match": given.format(etag)})
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["vary"]) == (etag, "Accept")
        assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("given", ['"other"', 'W/"other", "another"', "the text", '"*"', ""])
async def test_who_has_another_one_gets_it(given: str) -> None:
    async with reading() as (client, _, _):
        assert (await client.get("/text", headers={**JSON, "If-None-Match": given})).status_code == 200


async def test_no_more_is_read_at_once_than_the_store_has_connections_for() -> None:
    async with reading(at_once=1) as (client, store, contents):
        contents._sending = 1
        answer = await client.get("/original")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "2")
        contents._sending = 0
        chance = random.Random(1)  # noqa: S311 -- repeatable on purpose
        for _ in range(10):
            kind = chance.choice(["original", "text", "thumbnail"])
            assert (await client.get(f"/{kind}", headers=chance.choice([JSON, PLAIN]))).status_code == 200
        assert contents._sending == 0
        assert all(stream.closed for stream in store.streams)


@pytest.mark.parametrize(("key", "kind"), [("a/0.jpg", "image/jpeg"), ("a/0.webp", "image/webp")])
def test_a_thumbnail_is_what_the_version_that_made_it_makes(key: str, kind: str) -> None:
    content = content_of(MagicMock(original_filename="Report.PDF", thumbnail_key=key), "thumbnail", as_plain=False)
    assert (content.media_type, content.filename) == (kind, f"Report.{key[4:]}")


def test_a_file_name_survives_the_header() -> None:
    assert content_disposition('a\r\nb"ü.pdf') == "inline; filename=\"a__b__.pdf\"; filename*=UTF-8''a%0D%0Ab%22%C3%BC.pdf"
