"""The feed as each kind of client sees it, through whatever happens to its connection."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.integration.client import Client, close_code, serving
from tests.integration.stack import Stack
from tests.samples_pdf import simple_pdf, slow_pdf
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from quire_client import subscribe
from quire_schemas.messages import FeedMessage, Subscribed

FILES = [(f"{number}.pdf", simple_pdf(f"{number}")) for number in range(30)]


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack, settings={"QUIRE_MAX_SUBSCRIPTIONS": "3", "QUIRE_DRAIN_SECONDS": "0.5"}) as one:
        yield one


def address(client: Client, path: str = "/ws") -> str:
    return client.quire.notifier_url.replace("http", "ws", 1) + path


async def told(socket: Any) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 20))
    return message


async def processed(client: Client, collection_id: str) -> list[dict[str, Any]]:
    """Has 30 files processed; the whole feed."""
    for batch_id in await client.accepted(FILES, collection_id=collection_id):
        await client.ended(batch_id)
    return await client.feed(collection_id)


async def test_who_comes_later_gets_every_message_after_its_last_one(client: Client) -> None:
    feed = await processed(client, "later")
    async with connect(address(client, "/ws?collection_id=later&after=5")) as socket:
        assert (await told(socket))["recovered"] is True
        assert [await told(socket) for _ in feed[5:]] == feed[5:]


async def test_a_place_that_the_feed_does_not_have_is_answered_with_a_snapshot(client: Client) -> None:
    last = (await processed(client, "places"))[-1]["seq"]
    for query in (f"after={last + 1}", "after=3&epoch=00000000-0000-4000-8000-000000000000"):
        async with connect(address(client, f"/ws?collection_id=places&{query}")) as socket:
            subscribed = await told(socket)
        assert (subscribed["recovered"], subscribed["seq"]) == (False, last)
        assert subscribed["snapshot"] == {"batches": [], "total": 0, "next_cursor": None}


async def test_a_snapshot_has_the_active_batches_without_their_files_and_says_how_many_there_are(client: Client) -> None:
    [batch_id] = await client.accepted([("slow.pdf", slow_pdf(pages=1_000)), *FILES[:3]], collection_id="active")
    await client.until(batch_id, lambda batch: batch["status"] == "processing")
    async with connect(address(client, "/ws?collection_id=active")) as socket:
        subscribed = await told(socket)
    await client.command(batch_id, "cancel")
    [active] = subscribed["snapshot"]["batches"]
    assert (active["batch_id"], active["total"], subscribed["snapshot"]["total"]) == (batch_id, 4, 1)
    assert (isinstance(active["in_flight"], list), "files" in active) == (True, False)
    answer = await client.http.get(f"{client.quire.notifier_url}/api/collections/active/snapshot?cursor=nonsense")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_one_socket_follows_several_collections_and_leaves_them(client: Client) -> None:
    async with connect(address(client), max_queue=None) as socket:
        for name in ("one", "two"):
            await socket.send(json.dumps({"type": "SUBSCRIBE", "collection_id": name}))
            assert (await told(socket))["collection_id"] == name
        await client.accepted(FILES[:1], collection_id="two")
        assert (await told(socket))["collection_id"] == "two"
        await socket.send('{"type":"UNSUBSCRIBE","collection_id":"two"}')
        while (await told(socket))["type"] != "UNSUBSCRIBED":
            pass
        await client.accepted(FILES[:1], collection_id="two")
        await socket.send('{"type":"PING"}')
        assert (await told(socket))["type"] == "PONG"


@pytest.mark.parametrize(
    ("message", "code", "close"),
    [
        ("no json", "bad_message", 3501),
        ('{"type":"NONSENSE"}', "bad_message", 3501),
        ('{"type":"SUBSCRIBE","collection_id":"a/b"}', "invalid_collection_id", None),
        ('{"type":"SUBSCRIBE","collection_id":"x","after":-1}', "bad_message", 3501),
        ('{"type":"UNSUBSCRIBE","collection_id":"never"}', "not_subscribed", None),
        (b"\x00binary", "bad_message", 3501),
    ],
)
async def test_a_message_that_will_not_do_is_answered_with_an_error(
    client: Client, message: str | bytes, code: str, close: int | None
) -> None:
    async with connect(address(client)) as socket:
        await socket.send(message)
        assert (await told(socket))["code"] == code
        if close is None:
            await socket.send('{"type":"PING"}')
            assert (await told(socket))["type"] == "PONG"
        else:
            assert await close_code(socket) == close


async def test_a_socket_has_its_limits(client: Client) -> None:
    async with connect(address(client)) as socket:
        for name in ("a", "b", "c", "d"):
            await socket.send(json.dumps({"type": "SUBSCRIBE", "collection_id": name}))
        assert [(await told(socket)).get("code") for _ in range(4)].count("too_many_subscriptions") == 1
        await socket.send(json.dumps({"type": "SUBSCRIBE", "collection_id": "x" * 20_000}))
        assert await close_code(socket) == 1009


async def test_a_page_of_another_origin_gets_no_socket(client: Client) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(address(client), origin="https://elsewhere.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


async def test_server_sent_events_go_on_after_the_last_event_id(client: Client) -> None:
    feed = await processed(client, "sse")
    url = f"{client.quire.notifier_url}/api/collections/sse/events"
    epoch = (await client.get("/api/collections/sse/feed"))["epoch"]
    found: list[dict[str, Any]] = []
    async with client.http.stream("GET", url, headers={"Last-Event-ID": f"{epoch}:7"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if len(found) > len(feed) - 7:
                    break
    assert found[0]["recovered"] is True
    assert found[1:] == feed[7:]


async def seen_by(client: Client, node: tuple[str, Path], script: str, url: str, collection_id: str) -> dict[str, Any]:
    """What a script has seen that came while files were being processed."""
    program, directory = node
    before = await processed(client, collection_id)
    path = str(Path(__file__).with_name(script))
    process = await asyncio.create_subprocess_exec(
        program, path, str(directory), url, collection_id, str(len(before)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"subscribed\n"
    await processed(client, collection_id)  # twice, as one time may have a heartbeat less than the other
    feed = await processed(client, collection_id)
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, errors
    seen: dict[str, Any] = json.loads(output)
    assert seen["seqs"] == [message["seq"] for message in feed[len(before) : 2 * len(before)]]
    return seen


async def test_the_unmodified_centrifuge_client_recovers_after_a_forced_close(client: Client, node: tuple[str, Path]) -> None:
    seen = await seen_by(client, node, "recovering.mjs", address(client, "/connection/websocket"), "centrifuge")
    assert seen["recovered"] == [False, True]


async def test_the_javascript_client_misses_nothing_and_sees_nothing_twice(client: Client, node: tuple[str, Path]) -> None:
    seen = await seen_by(client, node, "following.mjs", client.quire.notifier_url, "javascript")
    first, *again = seen["recovered"]
    assert first is False
    assert again
    assert all(again)


def test_the_javascript_client_is_small() -> None:
    source = (Path(__file__).parents[2] / "clients" / "js" / "quire.js").read_bytes()
    assert len(gzip.compress(source)) <= 4 * 1024


async def test_when_the_notifier_restarts_everybody_is_sent_away_and_misses_nothing(client: Client) -> None:
    async def follow() -> list[int]:
        seqs: list[int] = []
        async with aclosing(subscribe(client.quire.notifier_url, "restart")) as feed:
            async for message in feed:
                assert not isinstance(message, Subscribed) or not seqs or message.recovered
                if isinstance(message, FeedMessage):
                    seqs.append(message.seq)
                    if type(message).__name__ == "BatchCancelledMessage":
                        return seqs
        return seqs

    followers = [asyncio.create_task(follow()) for _ in range(20)]
    async with connect(address(client, "/ws?collection_id=restart")) as socket:
        await told(socket)
        ids = await client.accepted(FILES, collection_id="restart")
        await client.quire.restart("notifier")
        assert await close_code(socket) == 3001
    for batch_id in ids:
        await client.ended(batch_id)
    [last] = await client.accepted([("slow.pdf", simple_pdf("slow", 4_000))], collection_id="restart")
    await client.until(last, lambda _: True)
    await client.command(last, "cancel")
    seen = await asyncio.gather(*followers)
    feed = await client.feed("restart")
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in seen)
    assert {len(seqs) for seqs in seen} <= {len(feed), len(feed) - 1}


async def test_what_is_older_than_the_retention_is_pruned_and_nobody_resumes_across_it_unknowingly(stack: Stack) -> None:
    async with serving(stack, settings={"QUIRE_FEED_RETENTION": "2s"}) as client:
        for batch_id in await client.accepted(FILES, collection_id="old"):
            await client.ended(batch_id)
        url = f"{client.quire.notifier_url}/api/collections/old/feed"
        async with asyncio.timeout(20):
            while (answer := await client.http.get(url)).status_code == 200:
                await asyncio.sleep(0.2)
        body = answer.json()
        assert (answer.status_code, body["code"], body["pruned_to"] > 0) == (410, "resync_required", True)
        async with connect(address(client, f"/ws?collection_id=old&after={body['pruned_to'] - 1}")) as socket:
            assert (await told(socket))["recovered"] is False
        async with asyncio.timeout(20):
            while body["pruned_to"] < body["last_seq"]:
                await asyncio.sleep(0.2)
                body = (await client.http.get(url)).json()
        assert (await client.get("/api/collections/old/feed", after=body["last_seq"]))["items"] == []
        async with connect(address(client, f"/ws?collection_id=old&after={body['last_seq']}")) as socket:
            assert (await told(socket))["recovered"] is True


async def test_the_page_is_there_and_takes_nothing_from_elsewhere(client: Client) -> None:
    for path in ("/", "/collections/some", "/batches/00000000-0000-4000-8000-000000000000"):
        answer = await client.http.get(client.quire.notifier_url + path)
        assert (answer.status_code, "<title>Quire</title>" in answer.text) == (200, True)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert f"connect-src 'self' {client.quire.ingest_url}" in policy
    built = re.findall(r'(?:src|href)="(?:\.\./)*(?:\./)?([^"]+)"', answer.text)
    assert len(built) == 3
    for name in (*built, "quire.js", "quire-export.js", "samples/list.json"):
        assert (await client.http.get(f"{client.quire.notifier_url}/{name}")).status_code == 200
    assert (await client.http.get(f"{client.quire.notifier_url}/../settings.py")).status_code == 404
    assert (await client.http.get(f"{client.quire.notifier_url}/nothing.js")).status_code == 404
