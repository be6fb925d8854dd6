"""A subscription from Python that survives lost connections.

    async with aclosing(subscribe("http://127.0.0.1:8000", "default")) as feed:
        async for message in feed:
            ...

Each connection begins with a `Subscribed`; feed messages come once each, in order, through all of them. A `Subscribed` that is
not `recovered` brings a snapshot: it is the first one, or messages in between are gone (the feed was rebuilt or pruned), and
what was known before has to be asked for again.
"""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import UNSET, Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from quire_schemas.messages import (
    AnyFeedMessage,
    Authenticate,
    ClientMessage,
    Error,
    FeedMessage,
    ServerMessage,
    Snapshot,
    Subscribe,
    Subscribed,
    decode_server_message,
    encode_message,
)
from quire_schemas.views import BatchView

UNAUTHENTICATED = 3500
FINAL = frozenset({UNAUTHENTICATED, 3501, 3503})
"""Close codes after which the same attempt would fail again: not authenticated, bad message, forbidden."""
MAX_FRAME_BYTES = 64 * 1024 * 1024
ANSWER_WITHIN_S = 30.0
LONGEST_PAUSE_S = 15.0

Token = str | Callable[[], str] | None
OnLost = Callable[[str, float], None]
Item = Subscribed | AnyFeedMessage


class Refused(Exception):
    """The notifier will not have this subscription; trying again does not help."""


class NotifierAway(Exception):
    """There was no connection to the notifier for longer than was to be waited."""


class _Interrupted(Exception):
    """This connection is of no use any more; a new one may be."""


class _Unknown(Struct):
    """A message of a newer version than this client: counted, not understood."""

    seq: int | None = None


async def subscribe(
    url: str,
    collection: str,
    after: int | None = None,
    epoch: str | None = None,
    token: Token = None,
    *,
    on_lost: OnLost | None = None,
    give_up_after: float | None = None,
) -> AsyncGenerator[Item]:
    """Messages of `collection` from the notifier at `url` (http(s):// or ws(s)://); to be closed with `aclosing`.

    `after`, `epoch`: go on behind a message got earlier. `token`: for QUIRE_AUTH=jwt; a function is asked at each connection,
    so that an expired one is renewed. `on_lost(reason, pause)` is told when a connection is lost, and in how many seconds the
    next one is tried. Raises Refused; and NotifierAway when nothing connects for `give_up_after` seconds (None: never).
    """
    cursor = _Cursor(collection, after, epoch)
    address, attempt, away_since = socket_url(url), 0, time.monotonic()
    while True:
        subscribed = False
        try:
            async with _connected(address) as socket:
                await _ask(socket, cursor, token)
                async for message in _received(socket, cursor):
                    subscribed = True
                    yield message
        except _Interrupted as error:
            reason = str(error)
        except ConnectionClosed as error:
            reason = _closed(error, renewable=subscribed and callable(token))
        if subscribed:
            attempt, away_since = 0, time.monotonic()
        pause = random.uniform(0.5, 1) * min(LONGEST_PAUSE_S, 0.5 * 2**attempt)  # noqa: S311 -- spreads clients, hides nothing
        if give_up_after is not None and time.monotonic() + pause - away_since > give_up_after:
            raise NotifierAway(f"no connection to {address} for {give_up_after:.0f} s: {reason}")
        if on_lost is not None:
            on_lost(reason, pause)
        await asyncio.sleep(pause)
        attempt += 1


def socket_url(url: str) -> str:
    """The WebSocket address of the notifier at `url`; raises Refused where that is no URL."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise Refused(f"{url!r} is no address of a notifier: give one like http://127.0.0.1:8000")
    return urlunsplit((scheme, parts.netloc, f"{parts.path.removesuffix('/').removesuffix('/ws')}/ws", "", ""))


def is_local(url: str) -> bool:
    """Whether the address is this machine's own; no proxy leads there."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Cursor:
    """Where in the feed this client is, and what it takes from it."""

    def __init__(self, collection: str, after: int | None, epoch: str | None) -> None:
        self.collection = collection
        self.seq = after
        self.epoch = epoch
        self._parts: list[BatchView] = []

    def question(self) -> Subscribe:
        self._parts = []
        return Subscribe(collection_id=self.collection, after=self.seq, epoch=self.epoch)

    def take(self, message: ServerMessage | _Unknown) -> Item | None:
        """The message, if it is a new one for the caller. Raises _Interrupted where one is missing before it."""
        if isinstance(message, Subscribed):
            return self._subscribed(message)
        if isinstance(message, Error):
            raise Refused(f"{message.message} ({message.code})")
        if isinstance(message, FeedMessage | _Unknown):
            new = message.seq is not None and self._advance(message.seq)
            return message if new and not isinstance(message, _Unknown) else None
        return None

    def _advance(self, seq: int) -> bool:
        if self.seq is not None and seq <= self.seq:
            return False
        if self.seq is not None and seq > self.seq + 1:
            raise _Interrupted(f"message {self.seq + 1} is missing")
        self.seq = seq
        return True

    def _subscribed(self, frame: Subscribed) -> Subscribed | None:
        if frame.snapshot is not UNSET:
            self._parts += frame.snapshot.batches
        if frame.more is True:
            return None
        whole = msgspec.structs.replace(frame, more=UNSET)
        if not frame.recovered:
            self.seq = frame.seq
            whole = msgspec.structs.replace(whole, snapshot=Snapshot(batches=self._parts))
        self.epoch, self._parts = frame.epoch, []
        return whole


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[ClientConnection]:
    try:
        socket = await connect(
            address,
            compression=None,
            max_size=MAX_FRAME_BYTES,
            close_timeout=2,
            proxy=None if is_local(address) else True,
        )
    except Exception as error:
        if _may_pass(error):
            raise _Interrupted(str(error) or "no answer") from error
        raise Refused(f"{address}: {error}") from error
    async with socket:
        yield socket


def _may_pass(error: Exception) -> bool:
    """Whether a connection that failed so may succeed later."""
    if isinstance(error, InvalidStatus):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, OSError | InvalidMessage) and not isinstance(error, ssl.SSLCertVerificationError)


async def _ask(socket: ClientConnection, cursor: _Cursor, token: Token) -> None:
    if token is not None:
        await _say(socket, Authenticate(token=token() if callable(token) else token))
    await _say(socket, cursor.question())


async def _say(socket: ClientConnection, message: ClientMessage) -> None:
    await socket.send(encode_message(message), text=True)


async def _received(socket: ClientConnection, cursor: _Cursor) -> AsyncGenerator[Item]:
    """What the socket brings for the caller; ends by an exception only."""
    within: float | None = ANSWER_WITHIN_S
    while True:
        try:
            async with asyncio.timeout(within):
                frame = await socket.recv()
        except TimeoutError:
            raise _Interrupted(f"no answer within {ANSWER_WITHIN_S:.0f} s") from None
        if (message := cursor.take(_decoded(frame))) is not None:
            within = None
            yield message


def _decoded(frame: str | bytes) -> ServerMessage | _Unknown:
    try:
        message: ServerMessage = decode_server_message(frame)
    except msgspec.ValidationError:
        return msgspec.json.decode(frame, type=_Unknown)
    return message


def _closed(error: ConnectionClosed, *, renewable: bool) -> str:
    """Why the notifier closed; raises Refused where coming back would not help. `renewable`: a new token can be had."""
    if error.rcvd is None:
        return "the connection broke off"
    code, reason = error.rcvd.code, error.rcvd.reason
    if code in FINAL and not (code == UNAUTHENTICATED and renewable):
        raise Refused(f"{reason or 'the notifier closed the connection'} ({code})") from error
    return reason or f"closed with {code}"
