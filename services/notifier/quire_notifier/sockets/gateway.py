"""`/ws` and `/connection/websocket`: checks the handshake and starts the session (docs/api.md, "WebSocket")."""

from collections.abc import Sequence

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from quire_notifier import metrics
from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.hub import Hub
from quire_notifier.sockets.centrifuge import CentrifugeSession
from quire_notifier.sockets.open_sockets import Sockets
from quire_notifier.sockets.session import Session
from quire_notifier.sockets.wire import BAD_MESSAGE, DRAINING, TOO_MANY, TRY_AGAIN, UNAUTHENTICATED, Wire, wire_of
from quire_runtime.auth import Authenticator, AuthUnavailable, Principal, Unauthenticated
from quire_runtime.settings import EVERY_ORIGIN
from quire_schemas.messages import Error, Subscribe

CENTRIFUGE = "/connection/websocket"


class SocketTerms(msgspec.Struct, frozen=True):
    """The limits of a socket. `origins` lists the pages that may open one; a program that sends no Origin always may."""

    origins: frozenset[str]
    authenticate_seconds: float
    max_subscriptions: int
    ping_seconds: float
    open_to_all: bool


class _Refused(Exception):
    """The socket is refused: it gets an ERROR message, and is then closed with the code `close`."""

    def __init__(self, close: int, code: str, message: str) -> None:
        super().__init__(message)
        self.close, self.code, self.message = close, code, message


_TOO_MANY = _Refused(TOO_MANY, "too_many_sockets", "this address has too many connections open: close some")


class Gateway:
    """An ASGI application for WebSockets."""

    def __init__(
        self, hub: Hub, sockets: Sockets, admission: Admission, authenticator: Authenticator, terms: SocketTerms
    ) -> None:
        self._hub = hub
        self._sockets = sockets
        self._admission = admission
        self._authenticator = authenticator
        self._terms = terms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        origin = socket.headers.get("origin")
        if origin is not None and not self._terms.origins & {origin, EVERY_ORIGIN}:
            metrics.REFUSED.labels("origin").inc()
            await socket.close()  # before accept: HTTP 403
            return
        await socket.accept()
        wire, address = wire_of(scope), socket.client.host if socket.client else ""
        if not self._sockets.add(wire, address):
            await _turn_away(wire, receive, _TOO_MANY)
            return
        try:
            await self._serve(socket, wire, receive)
        finally:
            self._sockets.remove(wire, address)

    async def _serve(self, socket: WebSocket, wire: Wire, receive: Receive) -> None:
        if self._sockets.draining:
            wire.close(DRAINING, "this server is going away: connect again and go on with `after`")
            await _until_closed(receive)
            return
        if socket.scope["path"] == CENTRIFUGE:
            session = CentrifugeSession(
                wire,
                self._hub,
                self._admission,
                self._authenticator,
                authenticate_seconds=self._terms.authenticate_seconds,
                ping_seconds=self._terms.ping_seconds,
                max_subscriptions=self._terms.max_subscriptions,
            )
            await session.run(receive)
            return
        try:
            principal, first = await self._principal(socket), _subscribed(socket.query_params)
        except _Refused as refused:
            await _turn_away(wire, receive, refused)
            return
        plain = Session(
            wire,
            self._hub,
            self._admission,
            self._authenticator,
            authenticate_seconds=self._terms.authenticate_seconds,
            max_subscriptions=self._terms.max_subscriptions,
        )
        await plain.run(receive, principal, first)

    async def _principal(self, socket: WebSocket) -> Principal | None:
        """Returns the principal, or None when the token may still come as a message."""
        if not self._terms.open_to_all and "authorization" not in socket.headers:
            return None
        try:
            return await self._authenticator.of_headers(socket.headers)
        except Unauthenticated as error:
            raise _Refused(UNAUTHENTICATED, "unauthenticated", error.detail) from error
        except AuthUnavailable as error:
            raise _Refused(TRY_AGAIN, "auth_unavailable", error.detail) from error


def _subscribed(query: QueryParams) -> Sequence[Subscribe]:
    """Returns the subscription that the URL's query asks for, if any."""
    name = query.get("collection_id")
    if name is None:
        return []
    wanted = {"type": "SUBSCRIBE", "collection_id": name, "after": query.get("after"), "epoch": query.get("epoch")}
    try:
        return [msgspec.convert({key: value for key, value in wanted.items() if value is not None}, Subscribe, strict=False)]
    except msgspec.ValidationError as error:
        raise _Refused(BAD_MESSAGE, "bad_message", f"the URL's query is not as it should be: {error}") from error


async def _turn_away(wire: Wire, receive: Receive, refused: _Refused) -> None:
    wire.say(Error(code=refused.code, message=refused.message))
    wire.close(refused.close, refused.code)
    await _until_closed(receive)


async def _until_closed(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass
