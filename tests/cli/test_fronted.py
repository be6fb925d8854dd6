"""The command line where something stands in front of Quire."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.client.test_fallback import front, streaming

from quire_cli import upload as uploading
from quire_cli.api import Answered, BrokenOff, connect
from quire_cli.errors import CliError
from quire_cli.following import Following
from quire_cli.gather import Chosen, Gathered
from quire_cli.submission import Submission
from quire_cli.target import Target
from quire_cli.upload import Order
from quire_cli.views import PlainView
from quire_cli.watch import JsonLines

CONFIG = b'{"ingest_url": "", "auth": "none", "batch_size": 25}'


@asynccontextmanager
async def refusing(status: str, *, at_once: bool) -> AsyncIterator[str]:
    """Answers to the head of a request; `at_once`: and closes then, whatever else is being sent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET")
        line, body = ("200 OK", CONFIG) if asked else (status, b"<html><h1>No</h1></html>")
        head = f"HTTP/1.1 {line}\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            while not (asked or at_once) and await reader.read(65_536):
                pass
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Watching:
    def __init__(self) -> None:
        self.told: list[str] = []

    def sending(self, sent: int) -> None: ...
    def sent(self, files: Any, answer: Any) -> None: ...

    def again(self, reason: str, pause: float) -> None:
        self.told.append(reason)


async def refused(url: str, tmp_path: Path, patience: float = 0) -> CliError:
    path = tmp_path / "large.pdf"
    path.write_bytes(b"%PDF-" + bytes(8_000_000))
    status = path.stat()
    async with connect(Target(url, None, None)) as api:
        files = [Chosen(path, status.st_size, status.st_mtime_ns)]
        with pytest.raises(CliError) as refusal:
            await uploading.upload(api, files, Order("default", "isolate", "key", patience), Watching())
    return refusal.value


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("413 Request Entity Too Large", "takes no body of that size. Raise its limit (of nginx: client_max_body_size)"),
        ("403 Forbidden", "answered 403 Forbidden: not Quire, but something in front of it."),
    ],
)
async def test_what_refuses_an_upload_in_front_of_ingest_is_named_and_not_tried_again(
    tmp_path: Path, status: str, sentence: str
) -> None:
    async with refusing(status, at_once=False) as url:
        refusal = await refused(url, tmp_path, patience=300)
    assert isinstance(refusal, Answered)
    assert re.search(re.escape(sentence), str(refusal))


async def test_so_is_what_may_cut_it_off(tmp_path: Path) -> None:
    async with refusing("413 Request Entity Too Large", at_once=True) as url:
        refusal = await refused(url, tmp_path)
    assert isinstance(refusal, BrokenOff)
    assert "something in front of ingest takes no body of 8.0 MB: raise its limit" in str(refusal)


async def until_told(following: Following) -> None:
    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        running = group.create_task(following.run())
        await following.subscribed.wait()
        running.cancel()


async def test_what_is_done_without_a_websocket_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async with front(streaming) as proxy, connect(Target(proxy.url, None, None)) as api:
        watched = JsonLines()
        watched.following = Following(api, "c", watched, None)
        await until_told(watched.following)
        lines = capsys.readouterr()
        assert "answered a WebSocket with 404; following by Server-Sent Events instead." in lines.err
        assert '"SUBSCRIBED"' in lines.out
        submission = Submission(api, Gathered(files=[]), Order("c", "isolate", "key", 300), PlainView(), wait=True)
        await until_told(submission.following)
        assert "following by Server-Sent Events instead." in capsys.readouterr().err
