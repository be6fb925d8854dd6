"""The client where something stands in front of the notifier: no WebSocket, no event stream, or nothing of Quire at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.client.test_subscribing import created, sends, subscribed, take
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from quire_client import NotifierAway, Refused, over_http, subscribing
from quire_schemas.messages import Subscribed

Answer = Callable[[str, dict[str, str]], tuple[int, str, Any]]
"""From path and query to status, media type and body."""
HTML = "text/html"
JSON = "application/json"
STREAM = "text/event-stream"
CUT = f"{STREAM}; cut"
"""Breaks off before its announced end."""
PROBLEM = "application/problem+json"


class Front:
    """A server in front of a notifier; `asked` holds the last part of each path that was asked for."""

    def __init__(self, answer: Answer, socket: int | None) -> None:
        """`socket`: status with which it refuses a WebSocket; None: it lets it through."""
        self._answer = answer
        self._socket = socket
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        self.url = ""

    def request(self, _connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        self.asked.append(parts.path.rpartition("/")[2])
        self.tokens.append(request.headers.get("authorization"))
        if self.asked[-1] == "ws":
            return None if self._socket is None else response(self._socket, HTML, "<h1>No</h1>")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return response(*self._answer(self.asked[-1], query))


def response(status: int, media_type: str, body: Any) -> Response:
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = Headers({"Content-Type": media_type, "Content-Length": str(len(data) + (media_type == CUT)), "Connection": "close"})
    return Response(status, HTTPStatus(status).phrase, headers, data)


@asynccontextmanager
async def front(answer: Answer, socket: int | None = 404) -> AsyncIterator[Front]:
    one = Front(answer, socket)
    behave = sends(subscribed(4, snapshot={"batches": []}), created(5))

    async def connection(accepted: ServerConnection) -> None:
        await accepted.recv()
        await behave(accepted, [])

    async with serve(connection, "127.0.0.1", 0, process_request=one.request) as server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield one


def events(*messages: dict[str, Any]) -> str:
    return "retry: 1000\n\n" + "".join(f"id: e1:1\ndata: {json.dumps(message, ensure_ascii=False)}\n\n" for message in messages)


def no(status: int) -> Answer:
    return lambda _path, _query: (status, HTML, "<h1>No</h1>")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribing, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(over_http, "POLL_S", 0.01)


def streaming(path: str, query: dict[str, str]) -> tuple[int, str, Any]:
    if path != "events":
        return no(404)(path, query)
    if not query:
        return (
            200,
            STREAM,
            events(subscribed(4, snapshot={"batches": []}), created(5, files=[{**FILE, "filename": "a\u2028b.pdf"}])),
        )
    assert query["epoch"] == "e1"
    after = int(query["after"])
    return 200, STREAM, events(subscribed(after, recovered=True), created(after + 1))


FILE = {"file_id": "f", "filename": "a\u2028b.pdf", "size": 1}


@pytest.mark.parametrize("status", [400, 403, 404, 426, 501, 502])
async def test_where_no_websocket_leads_it_follows_by_events_and_says_so_once(status: int) -> None:
    told: list[str] = []
    async with front(streaming, status) as proxy:
        items = await take(6, proxy.url, on_fallback=told.append)
    assert [item.seq for item in items] == [4, 5, 5, 6, 6, 7]
    assert items[1].files[0].filename == "a\u2028b.pdf"
    [sentence] = told
    assert f"answered a WebSocket with {status}" in sentence
    assert "Server-Sent Events instead" in sentence
    assert proxy.asked == ["ws", "events"] * 3  # a WebSocket is tried each time: it may be let through by now


async def test_where_one_leads_it_asks_for_nothing_else() -> None:
    told: list[str] = []
    async with front(streaming, None) as proxy:
        await take(2, proxy.url, on_fallback=told.append)
    assert (proxy.asked, told) == (["ws"], [])


class Feed:
    """Of a notifier that answers single questions only."""

    def __init__(self) -> None:
        self.messages = [created(5), created(6)]
        self.gone = False

    def __call__(self, path: str, query: dict[str, str]) -> tuple[int, str, Any]:
        if path == "snapshot":
            return 200, JSON, [subscribed(4, snapshot={"batches": []}, more=True), subscribed(4, snapshot={"batches": []})]
        if path != "feed":
            return no(502)(path, query)
        if self.gone:
            self.gone = False
            return 410, PROBLEM, {"code": "resync_required", "detail": "The feed does not go on here."}
        items = [message for message in self.messages if message["seq"] > int(query["after"])]
        if not items:
            self.messages.append(created(self.messages[-1]["seq"] + 1))
        return 200, JSON, {"epoch": "e1", "items": items, "next_cursor": None}


async def test_where_no_event_stream_leads_either_it_asks_for_the_feed() -> None:
    told: list[str] = []
    async with front(Feed()) as proxy:
        items = await take(5, proxy.url, on_fallback=told.append)
    assert [item.seq for item in items] == [4, 5, 6, 7, 8]
    assert isinstance(items[0], Subscribed)
    [sentence] = told
    assert "answered 502" in sentence
    assert "asking for news" in sentence


def cut(feed: Feed) -> Answer:
    return lambda path, query: (200, CUT, events()) if path == "events" else feed(path, query)


async def test_where_each_event_stream_is_cut_at_its_beginning_it_does_so_too() -> None:
    async with front(cut(Feed())) as proxy:
        assert [item.seq for item in await take(3, proxy.url)] == [4, 5, 6]


async def test_asking_goes_on_behind_a_message_and_starts_over_where_the_feed_does() -> None:
    feed = Feed()
    async with front(feed) as proxy:
        first, message = await take(2, proxy.url, after=5, epoch="e1")
        assert (first.recovered, first.seq, message.seq) == (True, 5, 6)
        feed.gone = True
        first, message = await take(2, proxy.url, after=5, epoch="e1")
        assert (first.recovered, first.seq, message.seq) == (False, 4, 5)


async def test_after_a_while_a_better_way_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "POLL_FOR_S", 0.0)
    lost: list[str] = []
    told: list[str] = []
    async with front(Feed()) as proxy:
        await take(4, proxy.url, on_lost=lambda reason, _pause: lost.append(reason), on_fallback=told.append)
    assert proxy.asked.count("ws") > 1
    assert (lost, len(told)) == ([], 1)


async def test_a_way_that_led_there_is_not_given_up_for_one_wrong_answer() -> None:
    feed = Feed()
    asked: list[str] = []

    def answer(path: str, query: dict[str, str]) -> tuple[int, str, Any]:
        asked.append(path)
        return no(404)(path, query) if asked.count("feed") == 2 or path == "events" else feed(path, query)

    async with front(answer) as proxy:
        items = await take(5, proxy.url)
    assert [item.seq for item in items if not isinstance(item, Subscribed)] == [5, 6, 7]


async def test_an_answer_that_is_not_quires_is_named() -> None:
    async with front(no(403), 403) as proxy:
        with pytest.raises(
            Refused, match=r"WebSocket with 403; .*/events answered 403 Forbidden, and not as Quire does; .*/snap"
        ):
            await take(1, proxy.url)


async def test_one_that_may_pass_is_waited_for() -> None:
    lost: list[str] = []
    async with front(no(502), 502) as proxy:
        with pytest.raises(NotifierAway, match="answered 502 Bad Gateway"):
            await take(1, proxy.url, on_lost=lambda reason, _pause: lost.append(reason), give_up_after=0.5)
    assert lost


async def test_what_quire_says_is_taken_at_its_word() -> None:
    refusal = {"code": "forbidden", "detail": "the token does not allow to read this collection"}
    async with front(lambda _path, _query: (403, PROBLEM, refusal)) as proxy:
        with pytest.raises(Refused, match=r"the token does not allow .* \(forbidden\)"):
            await take(1, proxy.url)
    assert proxy.asked == ["ws", "events"]


async def test_an_outage_of_quires_is_no_reason_to_try_another_way() -> None:
    answers = iter([(503, PROBLEM, {"code": "auth_unavailable", "detail": "the key set cannot be fetched now; try again"})])
    async with front(lambda path, query: next(answers, None) or streaming(path, query)) as proxy:
        await take(1, proxy.url)
    assert proxy.asked == ["ws", "events", "ws", "events"]


async def test_a_token_goes_along_and_an_expired_one_is_renewed() -> None:
    tokens = iter(["old", "new"])
    refusal = (401, PROBLEM, {"code": "unauthenticated", "detail": "the token has expired"})

    def answer(path: str, query: dict[str, str]) -> tuple[int, str, Any]:
        return streaming(path, query) if len(proxy.asked) == 2 else refusal

    async with front(answer) as proxy:
        with pytest.raises(Refused):  # the new one is refused before it was good for anything
            await take(9, proxy.url, token=lambda: next(tokens))
    assert proxy.tokens == [None, "Bearer old", None, "Bearer new"]
