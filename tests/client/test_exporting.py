"""The results of an upload, taken out by the client over a server that breaks off, refuses, or is away for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from quire_client import Refused, exported, exporting

FILES = [{"file_id": str(number), "pages": [{"page": 1, "text": "one\u2028two"}], "cursor": f"c{number}"} for number in range(5)]
LINES = [json.dumps(file, ensure_ascii=False).encode() + b"\n" for file in FILES]
Answer = Callable[[int, str | None], tuple[bytes, bytes]]
"""From the number of the question and its cursor to the status line and a body, of which the length is not true perhaps."""


@asynccontextmanager
async def answering(answer: Answer, asked: list[str | None]) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        cursor = parse_qs(urlsplit(target).query).get("cursor", [None])[0]
        asked.append(cursor)
        status, body = answer(len(asked), cursor)
        writer.write(b"HTTP/1.1 %b\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
        writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        if not body.endswith(b"}"):
            writer.write(b"0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "FIRST_PAUSE_S", 0.01)


def after(cursor: str | None) -> list[bytes]:
    return LINES[0 if cursor is None else int(cursor[1:]) + 1 :]


async def test_what_broke_off_is_gone_on_with_after_the_last_whole_line() -> None:
    def answer(number: int, cursor: str | None) -> tuple[bytes, bytes]:
        whole = b"".join(after(cursor))
        return b"200 OK", whole if number == 3 else b"".join(after(cursor)[:2]) + after(cursor)[2][:-1]

    asked: list[str | None] = []
    async with answering(answer, asked) as url:
        assert [file async for file in exported(url, request_id="r")] == FILES
    assert asked == [None, "c1", "c3"]


async def test_a_server_that_is_busy_is_asked_again_and_a_refusal_is_final() -> None:
    problem = b'{"code":"not_found","detail":"There is no such upload."}\n'
    asked: list[str | None] = []
    async with answering(lambda number, _: (b"503 Busy", b"\n") if number < 3 else (b"404 No", problem), asked) as url:
        with pytest.raises(Refused, match=r"There is no such upload \(not_found\)"):
            [file async for file in exported(url, request_id="r")]
    assert len(asked) == 3


async def test_nobody_waits_for_ever() -> None:
    with pytest.raises(httpx.ConnectError):
        [file async for file in exported("http://127.0.0.1:1", patience=0.02, request_id="r")]
