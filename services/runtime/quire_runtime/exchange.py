"""Sends requests with small bodies to one HTTP/1.1 server over connections that are kept open. httptools parses the answers.

A full HTTP client takes three times the CPU for the same exchange, and the processor makes three exchanges for each file.
Streams and proxies are left to a full client.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_FINAL = 200  # the lowest status that is a final answer


class Answer(NamedTuple):
    status: int
    body: bytes


class Exchange:
    """Connections to one server, at most `connections` at a time; `trust` is the context for TLS. In seconds: `connect` bounds
    connecting, `idle` is how long an unused connection is kept, and `patience` is how long an answer may be silent.
    """

    def __init__(
        self,
        address: tuple[str, int],
        trust: ssl.SSLContext | None,
        *,
        connections: int,
        connect: float,
        patience: float,
        idle: float,
    ) -> None:
        self._address, self._trust = address, trust
        self._connect_within = connect
        self._patience = patience
        self._idle = idle
        self._places = asyncio.Semaphore(connections)
        self._kept: list[_Connection] = []

    def close(self) -> None:
        """Closes the idle connections."""
        while self._kept:
            self._kept.pop().close()

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", *, repeatable: bool = True
    ) -> Answer:
        """Returns the answer to one request. `headers` must hold all headers but the length. A `repeatable` request is sent
        again when a kept connection was closed before it answered. Raises OSError, which includes TimeoutError.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{method} {target} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body
        async with self._places:
            connection = self._keep_going()
            if connection is not None:
                try:
                    return await self._asked(connection, request)
                except ConnectionError:
                    if connection.heard or not repeatable:
                        raise
            return await self._asked(await self._connected(), request)

    async def _asked(self, connection: "_Connection", request: bytes) -> Answer:
        try:
            answer = await connection.ask(request, self._patience)
        except BaseException:
            connection.close()
            raise
        if connection.open:
            self._kept.append(connection)
        return answer

    def _keep_going(self) -> "_Connection | None":
        """Returns the idle connection that was used last, or None."""
        while self._kept:
            connection = self._kept.pop()
            if connection.open and connection.idle_for < self._idle:
                return connection
            connection.close()
        return None

    async def _connected(self) -> "_Connection":
        async with asyncio.timeout(self._connect_within):
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(_Connection, *self._address, ssl=self._trust)
        return connection


class _Connection(asyncio.Protocol):
    """One connection, for one exchange after another. `heard` says whether any bytes of the answer have arrived."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._last = self._loop.time()
        self.heard = False

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def idle_for(self) -> float:
        """Seconds since bytes were last sent or received."""
        return self._loop.time() - self._last

    async def ask(self, request: bytes, patience: float) -> Answer:
        self._parser = HttpResponseParser(self)
        self._body: list[bytes] = []
        self._framed = False
        self.heard = False
        self._patience = patience
        self._last = self._loop.time()
        self._answer = self._loop.create_future()
        if self._transport is None:
            raise ConnectionResetError("the server closed the connection")
        self._transport.write(request)
        self._timer = self._loop.call_later(patience, self._look)
        try:
            return await self._answer
        finally:
            self._answer = None
            self._timer.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _look(self) -> None:
        """Fails the exchange when the server was silent for too long. Received bytes do not move the only timer; it is set
        again when it fires too early.
        """
        left = self._patience - self.idle_for
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._fail(TimeoutError(f"the server was silent for {self._patience:g} s"))

    def _fail(self, error: OSError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.close()

    def _complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(self._parser.get_status_code(), b"".join(self._body)))

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is a Transport

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():  # there is no request
            self.close()
            return
        self.heard = True
        self._last = self._loop.time()
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(ConnectionError(f"the answer is no HTTP: {error!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if exc is None and self._answer is not None and self.heard and self._in_body and not self._framed:
            self._complete()  # this answer ends with the connection
        self._fail(ConnectionResetError(f"the server closed the connection{f': {exc}' if exc else ''}"))

    # Called by the parser.

    def on_message_begin(self) -> None:
        self._in_body = self._framed = False
        self._body.clear()

    def on_header(self, name: bytes, _value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < _FINAL:  # "100 Continue" and its like
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._complete()
