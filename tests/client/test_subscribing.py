"""The client that resumes, against a notifier that can be told how to misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from quire_client import NotifierAway, Refused, subscribe, subscribing
from quire_client.subscribing import base_url
from quire_schemas import client as old
from quire_schemas.messages import BatchCreatedMessage, Subscribed

BATCH = "00000000-0000-4000-8000-000000000001"
AT = "2026-01-01T00:00:00Z"
Behaviour = Callable[[ServerConnection, list[dict[str, Any]]], Awaitable[None]]


def subscribed(seq: int, *, recovered: bool = False, epoch: str = "e1", **further: Any) -> dict[str, Any]:
    return {"type": "SUBSCRIBED", "collection_id": "c", "epoch": epoch, "seq": seq, "recovered": recovered, **further}


def created(seq: int, **further: Any) -> dict[str, Any]:
    message = {"type": "BATCH_CREATED", "collection_id": "c", "seq": seq, "batch_id": BATCH, "at": AT, "files": []}
    return {**message, **further}


def batch(batch_id: str) -> dict[str, Any]:
    counts = {"total": 1, "processed": 0, "failed": 0, "cancelled": 0, "generation": 0, "attempt": 0}
    times = {"created_at": AT, "started_at": None, "ended_at": None, "last_seen_at": None}
    names = {"batch_id": batch_id, "collection_id": "c", "request_id": BATCH, "status": "queued", "policy": "isolate"}
    return {**names, **counts, **times, "stage": None, "worker": None, "error_code": None, "error_message": None}


class Notifier:
    """Each connection gets the next behaviour; what clients said first is kept."""

    def __init__(self, behaviours: list[Behaviour]) -> None:
        self.behaviours = behaviours
        self.said: list[list[dict[str, Any]]] = []
        self.url = ""

    async def connection(self, socket: ServerConnection) -> None:
        words: list[dict[str, Any]] = [json.loads(await socket.recv())]
        if words[0]["type"] == "AUTHENTICATE":
            words.append(json.loads(await socket.recv()))
        self.said.append(words)
        await self.behaviours[len(self.said) - 1](socket, words)


@asynccontextmanager
async def notifier(*behaviours: Behaviour) -> AsyncIterator[Notifier]:
    fake = Notifier(list(behaviours))
    async with serve(fake.connection, "127.0.0.1", 0) as server:
        fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield fake


def sends(*messages: dict[str, Any], close: int | None = None, reason: str = "", abort: bool = False) -> Behaviour:
    async def behave(socket: ServerConnection, _words: list[dict[str, Any]]) -> None:
        for message in messages:
            await socket.send(json.dumps(message))
        if abort:
            socket.transport.abort()
        elif close is not None:
            await socket.close(close, reason)
        else:
            await socket.wait_closed()

    return behave


async def take(count: int, url: str, **options: Any) -> list[Any]:
    async with asyncio.timeout(10), aclosing(subscribe(url, "c", **options)) as feed:
        return [await anext(feed) for _ in range(count)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribing, "LONGEST_PAUSE_S", 0.02)


async def test_first_comes_the_snapshot_then_every_message() -> None:
    async with notifier(sends(subscribed(4, snapshot={"batches": [batch(BATCH)]}), created(5), created(6))) as fake:
        first, *rest = await take(3, fake.url)
    assert isinstance(first, Subscribed)
    assert first.snapshot.batches[0].batch_id == BATCH
    assert [message.seq for message in rest] == [5, 6]
    assert fake.said == [[{"type": "SUBSCRIBE", "collection_id": "c", "after": None, "epoch": None}]]


async def test_a_snapshot_in_several_frames_is_one() -> None:
    other = BATCH.replace("1", "2")
    frames = [
        subscribed(4, snapshot={"batches": [batch(BATCH)]}, more=True),
        subscribed(4, snapshot={"batches": [batch(other)]}),
    ]
    async with notifier(sends(*frames, created(5))) as fake:
        first, second = await take(2, fake.url)
    assert [each.batch_id for each in first.snapshot.batches] == [BATCH, other]
    assert isinstance(second, BatchCreatedMessage)


@pytest.mark.parametrize("end", [{"close": 3001}, {"close": 3008}, {"close": 1000}, {"close": 1011}, {"abort": True}])
async def test_after_a_lost_connection_it_goes_on_behind_the_last_message(end: dict[str, Any]) -> None:
    lost: list[str] = []
    one = sends(subscribed(4), created(5), **end)
    two = sends(subscribed(5, recovered=True), created(6))
    async with notifier(one, two) as fake:
        items = await take(4, fake.url, on_lost=lambda reason, _pause: lost.append(reason))
    assert [each.seq for each in items if not isinstance(each, Subscribed)] == [5, 6]
    assert fake.said[1] == [{"type": "SUBSCRIBE", "collection_id": "c", "after": 5, "epoch": "e1"}]
    assert len(lost) == 1


async def test_an_after_given_by_the_caller_is_sent() -> None:
    async with notifier(sends(subscribed(7, recovered=True), created(8))) as fake:
        await take(2, fake.url, after=7, epoch="e9")
    assert fake.said == [[{"type": "SUBSCRIBE", "collection_id": "c", "after": 7, "epoch": "e9"}]]


async def test_what_is_sent_twice_comes_once() -> None:
    async with notifier(sends(subscribed(4), created(5), created(5), created(4), created(6))) as fake:
        items = await take(3, fake.url)
    assert [each.seq for each in items] == [4, 5, 6]


async def test_a_gap_is_not_accepted_but_asked_for_again() -> None:
    async with notifier(sends(subscribed(4), created(6)), sends(subscribed(4, recovered=True), created(5), created(6))) as fake:
        items = await take(4, fake.url)
    assert [each.seq for each in items] == [4, 4, 5, 6]
    assert fake.said[1][0]["after"] == 4


async def test_another_epoch_brings_a_snapshot_and_its_numbering() -> None:
    two = sends(subscribed(2, epoch="e2", snapshot={"batches": []}), created(3))
    async with notifier(sends(subscribed(40), created(41), close=3001), two) as fake:
        items = await take(4, fake.url)
    assert [(each.seq, getattr(each, "epoch", None)) for each in items] == [(40, "e1"), (41, None), (2, "e2"), (3, None)]


async def test_a_message_of_a_newer_version_is_counted_and_skipped() -> None:
    async with notifier(sends(subscribed(4), {"type": "NEWS", "seq": 5}, created(6))) as fake:
        items = await take(2, fake.url)
    assert [each.seq for each in items] == [4, 6]


@pytest.mark.parametrize("code", [3500, 3501, 3503])
async def test_a_final_close_is_not_tried_again(code: int) -> None:
    async with notifier(sends(close=code, reason="no such token")) as fake:
        with pytest.raises(Refused, match="no such token"):
            await take(1, fake.url)
    assert len(fake.said) == 1


async def test_a_token_is_sent_first_and_renewed_when_it_has_expired() -> None:
    tokens = iter(["old", "new"])
    async with notifier(sends(subscribed(4), close=3500), sends(subscribed(4, recovered=True))) as fake:
        await take(2, fake.url, token=lambda: next(tokens))
    assert [words[0] for words in fake.said] == [
        {"type": "AUTHENTICATE", "token": "old"},
        {"type": "AUTHENTICATE", "token": "new"},
    ]


def error(code: str) -> dict[str, Any]:
    return {"type": "ERROR", "code": code, "message": "a sentence"}


@pytest.mark.parametrize(("code", "close"), [("auth_unavailable", 3004), ("too_many_sockets", 3013)])
async def test_what_passes_by_itself_is_waited_for(code: str, close: int) -> None:
    lost: list[str] = []
    async with notifier(sends(error(code), close=close), sends(close=close), sends(subscribed(4))) as fake:
        await take(1, fake.url, token="t", on_lost=lambda reason, _pause: lost.append(reason))
    assert lost[0] == f"a sentence ({code})"
    assert len(fake.said) == 3


async def test_a_token_whose_end_is_told_is_renewed_too() -> None:
    tokens = iter(["old", "new"])
    ended = sends(subscribed(4), error("unauthenticated"), close=3500)
    async with notifier(ended, sends(subscribed(4, recovered=True))) as fake:
        await take(2, fake.url, token=lambda: next(tokens))
    assert [words[0]["token"] for words in fake.said] == ["old", "new"]


async def test_a_token_that_is_refused_at_once_is_not_renewed() -> None:
    async with notifier(sends(close=3500, reason="bad token")) as fake:
        with pytest.raises(Refused):
            await take(1, fake.url, token=lambda: "t")


async def test_it_gives_up_when_nobody_answers_for_too_long() -> None:
    async with notifier() as fake:
        url = fake.url
    with pytest.raises(NotifierAway, match="for 0 s"):
        await take(1, url, give_up_after=0.1)


async def test_an_address_that_is_no_notifier_is_refused() -> None:
    with pytest.raises(Refused, match="is no address"):
        await take(1, "ftp://example.org")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host:8000", "http://host:8000"),
        ("https://host/quire/", "https://host/quire"),
        ("ws://host/ws", "http://host"),
        ("wss://host/quire/ws/", "https://host/quire"),
        ("host:8000", "http://host:8000"),
    ],
)
def test_the_notifier_is_found_from_the_url(url: str, expected: str) -> None:
    assert base_url(url) == expected


async def test_a_token_that_cannot_be_one_is_refused_without_being_shown() -> None:
    with pytest.raises(Refused) as refusal:
        await anext(subscribe("http://127.0.0.1:9", "c", token="c2VjcmV0\nc2VjcmV0"))
    assert refusal.value.code == "unauthenticated"
    assert "c2VjcmV0" not in str(refusal.value)


def test_its_first_name_is_still_known() -> None:
    assert (old.subscribe, old.Refused, old.NotifierAway) == (subscribe, Refused, NotifierAway)
