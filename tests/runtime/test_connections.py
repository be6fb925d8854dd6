"""Clients that misbehave, over real sockets: none of them holds anything for long, and none keeps the others out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from quire_runtime.http import exception_handlers
from quire_runtime.http_server import HttpServer
from quire_runtime.ops import OpsServer
from quire_runtime.settings import HttpSettings

HEAD = b"GET /fine HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE = 30.0


async def fine(_request: Request) -> Response:
    return Response("fine")


async def held(request: Request) -> Response:
    async for _ in request.stream():
        pass
    return Response("whole")


async def much(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(64 * 1024)
                await asyncio.sleep(0)
        finally:
            request.app.state.ended.set()

    return StreamingResponse(chunks())


def app() -> Starlette:
    routes = [Route("/fine", fine, methods=["GET", "POST"]), Route("/held", held, methods=["POST"]), Route("/much", much)]
    made = Starlette(routes=routes, exception_handlers=exception_handlers())
    made.state.ended = asyncio.Event()
    return made


@asynccontextmanager
async def serving(**settings: float) -> AsyncIterator[tuple[HttpServer, Starlette]]:
    made = app()
    server = HttpServer(made, HttpSettings(port=0, **settings), graceful=1.0)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        await asyncio.sleep(0.1)
        try:
            yield server, made
        finally:
            server.stop()


class Raw:
    """A client that says what it is told to, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> bytes:
        """A whole answer with a Content-Length."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            return head + await self.reader.readexactly(int(length.partition(b":")[2]))

    async def ended(self) -> bytes:
        """What came until the server ended the connection."""
        received = b""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(65_536):
                    received += data
        return received

    async def drip(self, data: bytes, pause: float) -> None:
        """Says a byte now and then, until nobody listens any more."""
        with contextlib.suppress(ConnectionError):
            for byte in data:
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(pause)


@asynccontextmanager
async def client(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    sock = socket.socket()
    sock.setblocking(False)  # noqa: FBT003 -- its name
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


async def test_who_connects_and_says_nothing_is_sent_away() -> None:
    async with serving(head_timeout=0.2) as (server, _), client(server.port) as silent:
        assert await silent.ended() == b""


async def test_a_head_that_comes_byte_by_byte_has_its_deadline() -> None:
    async with serving(head_timeout=0.5) as (server, _), client(server.port) as slow, asyncio.TaskGroup() as group:
        dripping = group.create_task(slow.drip(HEAD * 100, 0.05))
        assert await slow.ended() == b""
        dripping.cancel()


async def test_so_has_the_head_of_a_second_request() -> None:
    async with (
        serving(head_timeout=0.5, keep_alive=0.2) as (server, _),
        client(server.port) as slow,
        asyncio.TaskGroup() as group,
    ):
        slow.say(HEAD)
        assert (await slow.answer()).endswith(b"fine")
        dripping = group.create_task(slow.drip(b"GET /" + b"a" * 1_000, 0.05))
        assert await slow.ended() == b""
        dripping.cancel()


async def test_a_connection_without_a_request_ends_and_one_with_requests_goes_on() -> None:
    async with serving(head_timeout=0.3, keep_alive=0.3) as (server, _), client(server.port) as busy:
        for _ in range(6):
            busy.say(HEAD)
            assert (await busy.answer()).endswith(b"fine")
            await asyncio.sleep(0.1)
        assert await busy.ended() == b""


async def test_requests_that_follow_each_other_at_once_are_all_answered() -> None:
    async with serving(head_timeout=0.3, keep_alive=0.3) as (server, _), client(server.port) as eager:
        eager.say(HEAD * 20)
        for _ in range(20):
            assert (await eager.answer()).endswith(b"fine")
        assert await eager.ended() == b""


async def test_a_request_that_is_being_answered_has_no_deadline_of_ours() -> None:
    async with serving(head_timeout=0.1) as (server, _), client(server.port) as uploading:
        uploading.say(b"POST /held HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n")
        await uploading.drip(b"12345678", 0.1)
        assert (await uploading.answer()).endswith(b"whole")


async def test_the_rest_of_a_body_that_nobody_reads_has_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire_runtime.connections.LINGER_SECONDS", 0.5)
    async with serving(head_timeout=10.0) as (server, _), client(server.port) as stubborn, asyncio.TaskGroup() as group:
        stubborn.say(b"POST /fine HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        assert (await stubborn.answer()).endswith(b"fine")
        dripping = group.create_task(stubborn.drip(bytes(10_000), 0.05))
        assert await stubborn.ended() == b""
        dripping.cancel()


async def test_a_client_that_takes_nothing_of_an_answer_is_cut_off() -> None:
    async with serving(stall_timeout=0.3) as (server, made), client(server.port, receive_buffer=4_096) as deaf:
        deaf.say(HEAD.replace(b"/fine", b"/much"))
        async with asyncio.timeout(PATIENCE):
            await made.state.ended.wait()


async def test_a_client_that_takes_an_answer_at_its_leisure_is_not() -> None:
    async with serving(stall_timeout=1.5) as (server, made), client(server.port, receive_buffer=65_536) as slow:
        slow.say(HEAD.replace(b"/fine", b"/much"))
        for _ in range(36):  # 3.5 MiB in 1.8 s
            async with asyncio.timeout(PATIENCE):
                await slow.reader.readexactly(100 * 1024)
            await asyncio.sleep(0.05)
        assert not made.state.ended.is_set()


async def test_connections_that_ask_for_nothing_give_way_to_those_that_do() -> None:
    async with serving(max_connections=20, head_timeout=60.0) as (server, _), contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(client(server.port)) for _ in range(100)]
        async with client(server.port) as asking:
            asking.say(HEAD)
            assert (await asking.answer()).endswith(b"fine")
        assert await idle[0].ended() == b""
        idle[-1].say(HEAD)
        assert (await idle[-1].answer()).endswith(b"fine")


async def test_where_everybody_is_busy_a_new_one_is_refused_and_nobody_else() -> None:
    async with serving(max_connections=3) as (server, _), contextlib.AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(client(server.port)) for _ in range(3)]
        for one in busy:
            one.say(b"POST /held HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1")
        await asyncio.sleep(0.3)
        async with client(server.port) as late:
            late.say(HEAD)
            assert await late.ended() == b""
        for one in busy:
            one.say(b"2")
            assert (await one.answer()).endswith(b"whole")


async def test_the_ops_port_answers_through_any_number_of_idle_connections() -> None:
    ops = OpsServer("127.0.0.1", 0, {})
    async with asyncio.TaskGroup() as group, contextlib.AsyncExitStack() as stack:
        group.create_task(ops.run())
        await asyncio.sleep(0.1)
        for _ in range(200):
            await stack.enter_async_context(client(ops.port))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ops.port}", trust_env=False) as machine:
            for path in ("/livez", "/readyz", "/metrics"):
                assert (await machine.get(path)).status_code == 200
        ops.stop()


async def test_nothing_is_guessed_and_nothing_is_kept_of_any_answer() -> None:
    async with serving() as (server, _), httpx.AsyncClient(trust_env=False) as browser:
        for path in ("/fine", "/nowhere"):
            answer = await browser.get(f"http://127.0.0.1:{server.port}{path}")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"


FILES = """
import resource, sys
from quire_runtime.files import raise_limit, room_for_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 400))
print(room_for_connections())
raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE), room_for_connections())
"""


async def test_the_limit_of_open_files_is_raised_and_some_are_left_for_everything_else() -> None:
    command = (sys.executable, "-c", FILES)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ})
    said, _ = await process.communicate()
    assert said.decode().splitlines() == ["20", "400 400 200"]
