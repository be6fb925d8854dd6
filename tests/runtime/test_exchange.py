"""Exchanges with servers of all kinds: those that answer, that hang up, that say nothing, and that speak no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from quire_runtime.exchange import Answer, Exchange

PATIENCE = 0.3
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """`serve` gets each connection; `connections` counts them."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = 0
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def asked(serve: Serve, **options: float) -> AsyncIterator[tuple[Exchange, Server]]:
    server = Server(serve)
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    settings = {"connections": 4, "connect": 5.0, "patience": PATIENCE, "idle": 60.0} | options
    exchange = Exchange(("127.0.0.1", port), None, **settings)  # type: ignore[arg-type]
    try:
        yield exchange, server
    finally:
        exchange.close()
        listening.close()


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next one."""
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await reader.readexactly(int(length))


def answering(*answers: bytes) -> Serve:
    """One answer to each request of a connection, then it is closed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await request(reader)
            writer.write(answer)
            await writer.drain()

    return serve


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head, body = await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head + body) + head + body)


async def test_a_request_arrives_as_it_is_and_its_connection_is_kept() -> None:
    async with asked(echo) as (exchange, server):
        for number in range(5):
            answer = await exchange.ask("PUT", "/bucket/a%20b", {"host": "h:1", "x-n": f"{number}"}, b"body")
            head = f"PUT /bucket/a%20b HTTP/1.1\r\nhost: h:1\r\nx-n: {number}\r\ncontent-length: 4\r\n\r\n"
            assert answer == Answer(200, head.encode() + b"body")
        assert server.connections == 1


async def test_no_more_connections_are_made_than_are_allowed() -> None:
    async with asked(echo, connections=3) as (exchange, server):
        bodies = [bytes([number]) * 70_000 for number in range(20)]
        answers = await asyncio.gather(*(exchange.ask("PUT", "/", {"host": "h"}, body) for body in bodies))
        assert all(answer.body.endswith(body) for answer, body in zip(answers, bodies, strict=True))
        assert server.connections <= 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone", Answer(404, b"gone")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b"")),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Answer(200, b"abcde")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Answer(200, b"ok")),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", Answer(200, b"ok")),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Answer(200, b"until the end")),
    ],
)
async def test_answers_of_every_framing_are_understood(answer: bytes, expected: Answer) -> None:
    async with asked(answering(answer)) as (exchange, server):
        assert await exchange.ask("GET", "/", {"host": "h"}) == expected
        assert await exchange.ask("GET", "/", {"host": "h"}) == expected
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    ],
)
async def test_what_breaks_off_or_is_no_http_is_an_error(answer: bytes) -> None:
    async with asked(answering(answer)) as (exchange, server):
        with pytest.raises(ConnectionError):
            await exchange.ask("GET", "/", {"host": "h"})
        assert server.connections == 1


async def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing() -> None:
    async with asked(answering(OK)) as (exchange, server):
        for _ in range(3):
            assert await exchange.ask("GET", "/", {"host": "h"}) == Answer(200, b"ok")
            await asyncio.sleep(0.05)
        assert server.connections == 3


def closing_at_the_second() -> Serve:
    """A server that closes a kept connection just when the next request comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)

    return serve


async def test_nor_one_that_is_closed_when_the_request_comes() -> None:
    async with asked(closing_at_the_second()) as (exchange, server):
        for _ in range(2):
            assert await exchange.ask("GET", "/", {"host": "h"}) == Answer(200, b"ok")
        assert server.connections == 2


async def test_but_what_may_not_be_said_twice_is_not() -> None:
    async with asked(closing_at_the_second()) as (exchange, server):
        await exchange.ask("GET", "/", {"host": "h"})
        with pytest.raises(ConnectionError):
            await exchange.ask("PUT", "/", {"host": "h"}, b"x", repeatable=False)
        assert server.connections == 1


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with asked(silent) as (exchange, _):
        with pytest.raises(TimeoutError, match=r"silent for 0\.3 s"):
            await exchange.ask("GET", "/", {"host": "h"})


async def test_one_that_is_slow_but_goes_on_is_not() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 4\r\n\r\n", b"sl", b"ow"):
            writer.write(piece)
            await asyncio.sleep(0.6 * PATIENCE)

    async with asked(slow) as (exchange, _):
        assert await exchange.ask("GET", "/", {"host": "h"}) == Answer(200, b"slow")


async def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    async with asked(echo, idle=0.05) as (exchange, server):
        for _ in range(3):
            await exchange.ask("GET", "/", {"host": "h"})
            await asyncio.sleep(0.1)
        assert server.connections == 3


async def test_a_cancelled_exchange_takes_its_connection_with_it() -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await request(reader)
            await asyncio.sleep(0.1)
            name = head.split()[1]
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(name) + name)

    async with asked(late) as (exchange, _):
        first = asyncio.create_task(exchange.ask("GET", "/first", {"host": "h"}))
        await asyncio.sleep(0.05)
        first.cancel()
        assert await exchange.ask("GET", "/second", {"host": "h"}) == Answer(200, b"/second")


async def test_a_server_that_speaks_unasked_is_not_listened_to() -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged")
        await request(reader)

    async with asked(chatty) as (exchange, server):
        for _ in range(2):
            assert await exchange.ask("GET", "/", {"host": "h"}) == Answer(200, b"ok")
            await asyncio.sleep(0.1)
        assert server.connections == 2


async def test_nobody_there_is_an_error() -> None:
    async with asked(echo) as (exchange, _):
        pass
    with pytest.raises(OSError, match=r"refused|failed"):
        await exchange.ask("GET", "/", {"host": "h"})
