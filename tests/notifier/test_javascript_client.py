"""The JavaScript client in Node: where a token can be had anew, and where no WebSocket leads to the notifier."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.client.test_exporting import FILES, after, answering
from tests.client.test_fallback import PROBLEM, Feed, cut, front, no, streaming

CLIENT, EXPORT = (Path(__file__).parents[2] / "clients" / "js" / name for name in ("quire.js", "quire-export.js"))


async def told(script: str, *arguments: str, module: Path = CLIENT) -> Any:
    """What the script prints."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node here: the JavaScript client was NOT tried")
    command = [node, str(Path(__file__).with_name(script)), module.as_uri(), *arguments]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_token_that_expires_or_is_not_to_be_had_at_once_is_asked_for_again() -> None:
    seen = await told("renewing.mjs")
    subscribe = {"type": "SUBSCRIBE", "collection_id": "c"}
    assert seen["sent"] == [
        [],
        [{"type": "AUTHENTICATE", "token": "token 2"}, subscribe],
        [{"type": "AUTHENTICATE", "token": "token 3"}, {**subscribe, "after": 3, "epoch": "e"}],
        [{"type": "AUTHENTICATE", "token": "token 4"}, {**subscribe, "after": 3, "epoch": "e"}],
    ]
    assert seen["lost"] == [False, False, False, True]
    assert (seen["twice"], seen["opened"]) == ([1], 2)


async def test_where_no_websocket_leads_it_follows_by_events_and_says_so_once() -> None:
    async with front(streaming) as proxy:
        seen = await told("falling_back.mjs", proxy.url, "3", "t")
    assert seen["seqs"] == [5, 6, 7]
    assert seen["subscribed"] == [[4, False], [5, True], [6, True]]
    assert seen["fallbacks"] == ["a WebSocket ended with 1006; following by Server-Sent Events instead"]
    assert set(proxy.tokens) == {"Bearer t"}


async def test_a_token_that_no_header_takes_is_not_shown() -> None:
    async with front(streaming) as proxy:
        seen = await told("falling_back.mjs", proxy.url, "0", "c2VjcmV0\nc2VjcmV0")
    assert seen["lost"] == [[1006, "Error: the token holds a line break or another character that no token has", False]]


async def test_where_no_event_stream_leads_either_it_asks_for_the_feed() -> None:
    async with front(Feed()) as proxy:
        seen = await told("falling_back.mjs", proxy.url, "3", "")
    assert (seen["seqs"], seen["subscribed"], seen["lost"]) == ([5, 6, 7], [[4, False]], [])
    [sentence] = seen["fallbacks"]
    assert "/events answered 502, and not as Quire does" in sentence
    assert "asking for news" in sentence
    assert proxy.asked[:3] == ["events", "snapshot", "feed"]


async def test_where_each_event_stream_is_cut_at_its_beginning_it_does_so_too() -> None:
    async with front(cut(Feed())) as proxy:
        seen = await told("falling_back.mjs", proxy.url, "2", "")
    assert (seen["seqs"], seen["lost"]) == ([5, 6], [])


async def test_a_feed_that_does_not_go_on_there_is_begun_again() -> None:
    feed = Feed()
    feed.gone = True
    async with front(feed) as proxy:
        seen = await told("falling_back.mjs", proxy.url, "1", "")
    assert (seen["seqs"], seen["subscribed"]) == ([5], [[4, False], [4, False]])


async def test_an_export_that_broke_off_is_gone_on_with_after_the_last_whole_line() -> None:
    def answer(number: int, cursor: str | None) -> tuple[bytes, bytes]:
        whole = b"".join(after(cursor))
        return b"200 OK", whole if number == 3 else b"".join(after(cursor)[:2]) + after(cursor)[2][:-1]

    asked: list[str | None] = []
    async with answering(answer, asked) as url:
        seen = await told("exporting.mjs", url, "text", "60000", module=EXPORT)
    assert seen == {"files": FILES, "refused": None, "error": None}
    assert asked == [None, "c1", "c3"]


async def test_an_export_that_is_refused_is_not_asked_for_again_and_one_that_is_away_is() -> None:
    problem = b'{"code":"not_found","detail":"There is no such upload."}\n'
    asked: list[str | None] = []
    async with answering(lambda number, _: (b"503 Busy", b"\n") if number < 2 else (b"404 No", problem), asked) as url:
        seen = await told("exporting.mjs", url, "report", "60000", module=EXPORT)
    assert (seen["refused"], seen["error"], len(asked)) == ([404, "not_found"], "There is no such upload.", 2)
    assert (await told("exporting.mjs", "http://127.0.0.1:1", "text", "10", module=EXPORT))["error"] == "fetch failed"


async def test_an_archive_that_is_cut_is_an_error() -> None:
    asked: list[str | None] = []
    async with answering(lambda *_: (b"200 OK", b"PK whole"), asked) as url:
        assert (await told("exporting.mjs", url, "zip", "10", module=EXPORT))["files"] == [8]
    async with answering(lambda *_: (b"200 OK", b"PK cut}"), asked) as url:
        assert (await told("exporting.mjs", url, "zip", "10", module=EXPORT))["error"] == "terminated"


@pytest.mark.parametrize(("status", "code", "final"), [(401, 3500, True), (403, 3503, True), (503, 3004, False)])
async def test_what_quire_says_is_taken_at_its_word(status: int, code: int, final: bool) -> None:  # noqa: FBT001
    answers = iter([(status, PROBLEM, {"code": "a_code", "detail": "a sentence"})])
    async with front(lambda path, query: next(answers, None) or streaming(path, query)) as proxy:
        seen = await told("falling_back.mjs", proxy.url, "1", "")
    assert seen["lost"] == [[code, "a sentence", final]]


async def test_what_is_not_quires_is_named_and_tried_again() -> None:
    answers = iter([no(403)("", {})] * 2)
    async with front(lambda path, query: next(answers, None) or streaming(path, query)) as proxy:
        seen = await told("falling_back.mjs", proxy.url, "1", "")
    [[code, reason, final]] = seen["lost"]
    assert (code, final) == (1006, False)
    assert "/snapshot answered 403, and not as Quire does" in reason
