"""Clients that misbehave, on real sockets: what each of them may cost, and with which code it is sent away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import httpx
import jwt
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from tests.integration.client import close_code
from tests.notifier.world import DeafHub, MemoryFeed
from tests.runtime.test_jwks import KEY, provider
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from quire_client import subscribe
from quire_notifier.pushing.admission import Admission
from quire_notifier.sockets import centrifuge_protocol, wire
from quire_notifier.sockets.gateway import CENTRIFUGE, Gateway, Terms
from quire_notifier.sockets.open_sockets import Sockets
from quire_notifier.sockets.wire import TOO_MANY, TRY_AGAIN, UNAUTHENTICATED, Wire
from quire_notifier.web.sse import Streams
from quire_runtime.auth import EVERYBODY, Authenticator
from quire_runtime.http import exception_handlers
from quire_runtime.http_server import HttpServer
from quire_runtime.metrics import CATALOGUE
from quire_runtime.settings import AuthSettings, HttpSettings

SECRET = "0123456789abcdef0123456789abcdef"
NOWHERE = "http://127.0.0.1:9/jwks"
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CLOSING_SECONDS", 0.3)


class Most(NamedTuple):
    max_sockets_per_address: int = 0
    max_sockets_per_subject: int = 0


class Notifier(NamedTuple):
    port: int
    admission: Admission

    def address(self, path: str = "/ws") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


@asynccontextmanager
async def notifier(
    auth: AuthSettings | None = None,
    most: Most | None = None,
    *,
    frames: int = 100,
    authenticate_seconds: float = 9.0,
    trusted: tuple[str, ...] = (),
    origins: frozenset[str] = frozenset(),
    feed: MemoryFeed | None = None,
) -> AsyncIterator[Notifier]:
    """The gateway and event streams of a notifier whose feed is in memory."""
    settings = auth or AuthSettings()
    authenticator = Authenticator(settings)
    hub = DeafHub(feed or MemoryFeed(random.Random(1)), "")  # type: ignore[arg-type]  # noqa: S311
    admission = Admission(most or Most())
    streams = Streams(hub, admission)
    terms = Terms(origins, authenticate_seconds, 200, 25.0, settings.mode == "none")
    gateway = Gateway(hub, Sockets(admission), admission, authenticator, terms)

    async def events(request: Request) -> Response:
        subject = request.query_params.get("subject")
        expires = datetime.now(UTC) + timedelta(hours=1)
        principal = EVERYBODY if subject is None else replace(EVERYBODY, subject=subject, expires_at=expires)
        return streams.answer(request, "c", principal)

    routes = [WebSocketRoute("/ws", gateway), WebSocketRoute(CENTRIFUGE, gateway), Route("/events", events)]
    app = Starlette(routes=routes, exception_handlers=exception_handlers())
    socket = partial(Wire, frames_per_second=frames)
    server = HttpServer(app, HttpSettings(port=0), ws=socket, graceful=1.0, trusted_proxies=trusted, ws_max_size=16_384)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        group.create_task(hub.run(stop))
        await asyncio.sleep(0.1)
        try:
            yield Notifier(server.port, admission)
        finally:
            streams.drain()
            server.stop()
            stop.set()
            await authenticator.aclose()


def frame(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """As a client writes it, with a mask of zeros; up to 125 bytes."""
    return bytes((opcode | 0x80 * last, 0x80 | len(payload))) + bytes(4) + payload


TEXT, CONTINUATION, PING = 1, 0, 9


@asynccontextmanager
async def raw(port: int, path: str = "/ws") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket of which nothing is read after the handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    try:
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n{key}\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        yield reader, writer
    finally:
        writer.transport.abort()


async def sent(writer: asyncio.StreamWriter, data: bytes, times: int) -> int:
    """How often the server took this before it cut the connection."""
    for number in range(times):
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return number
    return times


async def closed_with(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that the server's bytes end with."""
    received = b""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                received += data
    position = received.rindex(b"\x88")
    return int.from_bytes(received[position + 2 : position + 4], "big")


async def told(socket: Any) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
    return message


async def test_a_client_that_pings_and_reads_nothing_is_cut_off_before_its_pongs_pile_up() -> None:
    async with notifier(frames=10**9) as quire, raw(quire.port) as (_, writer):
        megabyte = frame(PING, bytes(125)) * 8_000
        assert await sent(writer, megabyte, 100) < 50


@pytest.mark.parametrize(
    "flood",
    [frame(PING), frame(CONTINUATION, last=False), frame(TEXT, b'{"type":"PING"}')],
    ids=["pings", "empty fragments", "messages"],
)
async def test_a_flood_of_frames_is_ended(flood: bytes) -> None:
    async with notifier() as quire, raw(quire.port) as (reader, writer):
        writer.write(frame(TEXT, b"{", last=False) if flood == frame(CONTINUATION, last=False) else b"")
        ending = asyncio.create_task(closed_with(reader))
        await sent(writer, flood * 1_000, 100)
        assert await ending == TOO_MANY


async def test_so_is_a_flood_of_commands_that_share_frames() -> None:
    async with notifier() as quire, connect(quire.address(CENTRIFUGE), max_queue=None) as socket:
        with contextlib.suppress(Exception):
            for _ in range(100):
                await socket.send("{}\n" * 5_000)
        assert await close_code(socket) == TOO_MANY


async def test_a_client_that_subscribes_to_all_it_may_at_once_is_no_flood() -> None:
    async with notifier() as quire, connect(quire.address(), max_queue=None) as socket:
        for number in range(200):
            await socket.send(json.dumps({"type": "SUBSCRIBE", "collection_id": f"c{number}"}))
        await socket.send('{"type":"PING"}')
        while (await told(socket))["type"] != "PONG":
            pass


@pytest.mark.parametrize("auth", [None, AuthSettings(mode="jwt", secret=SECRET)], ids=["open", "jwt"])
async def test_a_centrifugo_socket_that_never_says_who_it_is_is_closed(auth: AuthSettings | None) -> None:
    async with notifier(auth, authenticate_seconds=0.3) as quire, connect(quire.address(CENTRIFUGE)) as socket:
        assert await close_code(socket) == UNAUTHENTICATED


async def test_one_that_has_said_so_stays() -> None:
    async with notifier(authenticate_seconds=0.3) as quire, connect(quire.address(CENTRIFUGE)) as socket:
        await socket.send('{"id":1,"connect":{}}')
        assert "connect" in await told(socket)
        await asyncio.sleep(0.6)
        await socket.send('{"id":2,"ping":{}}')
        assert (await told(socket))["id"] == 2


CLAIMS = {"sub": "ann", "scope": "quire:read", "collections": ["*"]}


def token() -> str:
    return jwt.encode(CLAIMS | {"exp": datetime.now(UTC) + timedelta(minutes=5)}, SECRET, headers={"kid": "1"})


AWAY = AuthSettings(mode="jwt", jwks_url=NOWHERE)


async def test_keys_that_cannot_be_fetched_are_an_interruption_for_a_token_in_the_header() -> None:
    async with notifier(AWAY) as quire:
        headers = {"Authorization": f"Bearer {token()}"}
        async with connect(quire.address("/ws?collection_id=c"), additional_headers=headers) as socket:
            assert (await told(socket))["code"] == "auth_unavailable"
            assert await close_code(socket) == TRY_AGAIN


async def test_and_for_a_token_in_a_message() -> None:
    async with notifier(AWAY) as quire, connect(quire.address()) as socket:
        await socket.send(json.dumps({"type": "AUTHENTICATE", "token": token()}))
        await socket.send('{"type":"SUBSCRIBE","collection_id":"c"}')
        assert (await told(socket))["code"] == "auth_unavailable"
        assert await close_code(socket) == TRY_AGAIN


async def test_and_for_a_centrifugo_client() -> None:
    async with notifier(AWAY) as quire, connect(quire.address(CENTRIFUGE)) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {"token": token()}}))
        assert (await told(socket))["error"]["temporary"] is True
        assert await close_code(socket) == TRY_AGAIN


async def test_our_client_outlives_a_hiccup_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire_runtime.jwks.FAILED_SECONDS", 0.1)
    lost: list[str] = []
    async with provider() as idp, notifier(AuthSettings(mode="jwt", jwks_url=idp.url)) as quire:
        idp.status = "500 Oh"
        signed = jwt.encode(CLAIMS | {"exp": datetime.now(UTC) + timedelta(minutes=5)}, KEY, "RS256", headers={"kid": "1"})
        feed = subscribe(
            quire.address(),
            "c",
            token=signed,
            on_lost=lambda reason, _pause: (lost.append(reason), setattr(idp, "status", "200 OK")),
        )
        async with asyncio.timeout(PATIENCE), contextlib.aclosing(feed):
            assert (await anext(feed)).collection_id == "c"
    assert "auth_unavailable" in lost[0]


PROXY = ("127.0.0.0/8",)


def through(*addresses: str) -> dict[str, str]:
    return {"X-Forwarded-For": ", ".join(addresses)}


async def test_behind_a_trusted_proxy_each_address_has_its_own_sockets() -> None:
    async with notifier(most=Most(max_sockets_per_address=2), trusted=PROXY) as quire, contextlib.AsyncExitStack() as stack:
        for address in ("203.0.113.1", "203.0.113.1", "203.0.113.2"):
            socket = await stack.enter_async_context(connect(quire.address(), additional_headers=through(address)))
            await socket.send('{"type":"PING"}')
            assert (await told(socket))["type"] == "PONG"
        for forged in (through("203.0.113.1"), through("198.51.100.9", "203.0.113.1"), through("203.0.113.1", "127.0.0.7")):
            async with connect(quire.address(), additional_headers=forged) as socket:
                assert (await told(socket))["code"] == "too_many_sockets"
                assert await close_code(socket) == TOO_MANY


async def test_what_a_stranger_says_of_addresses_is_not_believed() -> None:
    async with notifier(most=Most(max_sockets_per_address=1), trusted=("192.0.2.1",)) as quire:
        for _ in range(3):  # all from here, where nothing is counted
            async with connect(quire.address(), additional_headers=through("203.0.113.1")) as one:
                await one.send('{"type":"PING"}')
                assert (await told(one))["type"] == "PONG"
        assert not quire.admission._addresses["203.0.113.1"]


async def test_with_a_star_a_page_of_any_origin_may_open_a_socket() -> None:
    elsewhere = {"Origin": "https://elsewhere.example"}
    async with notifier(origins=frozenset({"*"})) as one, connect(one.address(), additional_headers=elsewhere):
        pass
    async with notifier(origins=frozenset({"https://here.example"})) as one:
        with pytest.raises(InvalidStatus):
            await connect(one.address(), additional_headers=elsewhere)


async def test_a_subject_with_too_many_sockets_may_come_back() -> None:
    auth = AuthSettings(mode="jwt", secret=SECRET)
    headers = {"Authorization": f"Bearer {token()}"}
    async with notifier(auth, Most(max_sockets_per_subject=1)) as quire:
        async with connect(quire.address("/ws?collection_id=c"), additional_headers=headers) as first:
            assert (await told(first))["type"] == "SUBSCRIBED"
            async with connect(quire.address(), additional_headers=headers) as second:
                assert (await told(second))["code"] == "too_many_sockets"
                assert await close_code(second) == TOO_MANY
            async with connect(quire.address(CENTRIFUGE)) as third:
                await third.send(json.dumps({"id": 1, "connect": {"token": token()}}))
                assert await close_code(third) == TOO_MANY
        async with asyncio.timeout(PATIENCE):
            while quire.admission._subjects["ann"]:
                await asyncio.sleep(0.01)
        async with connect(quire.address("/ws?collection_id=c"), additional_headers=headers) as again:
            assert (await told(again))["type"] == "SUBSCRIBED"


@pytest.mark.parametrize("most", [Most(max_sockets_per_address=2), Most(max_sockets_per_subject=2)], ids=["address", "subject"])
async def test_event_streams_are_counted_with_the_sockets_until_they_end(most: Most) -> None:
    async with notifier(most=most, trusted=PROXY) as quire, contextlib.AsyncExitStack() as stack:
        url = f"http://127.0.0.1:{quire.port}/events?subject=ann"
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, headers=through("203.0.113.1")))
        streams = contextlib.AsyncExitStack()
        for _ in range(2):
            answer = await streams.enter_async_context(client.stream("GET", url))
            assert answer.status_code == 200
        refused = await client.get(url)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_sockets")
        await streams.aclose()
        async with asyncio.timeout(PATIENCE):
            while quire.admission._addresses.total() + quire.admission._subjects.total():
                await asyncio.sleep(0.01)
        async with client.stream("GET", url) as again:
            assert again.status_code == 200


def test_every_code_that_a_websocket_is_closed_with_is_counted_from_the_start() -> None:
    codes = {str(code) for module in (wire, centrifuge_protocol) for code in vars(module).values() if is_close_code(code)}
    assert codes == {code for code in CATALOGUE["quire_notifier_closed_total"].labels["code"] if code.isdecimal()}


def is_close_code(value: object) -> bool:
    return isinstance(value, int) and 3_000 <= value < 4_000
