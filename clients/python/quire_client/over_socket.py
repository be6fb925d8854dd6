"""Subscription over one WebSocket."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from quire_client.cursor import ANSWER_WITHIN_S, Cursor, Interrupted, Item, NoWay, Refused, decoded
from quire_schemas.messages import Authenticate, ClientMessage, encode_message

UNAUTHENTICATED = 3500
FINAL = frozenset({UNAUTHENTICATED, 3501, 3503})
"""Close codes after which the same attempt would fail again: not authenticated, bad message, forbidden."""
OURS = range(3_000, 4_000)
"""Close codes that only a notifier sends."""
MAX_FRAME_BYTES = 64 * 1024 * 1024


async def over_websocket(url: str, cursor: Cursor, token: str | None) -> AsyncGenerator[Item]:
    """Yields the messages that the notifier at `url`, http(s)://, sends; ends only by an exception.

    Raises Interrupted, Refused or NoWay.
    """
    subscribed = False
    async with _connected(f"{url.replace('http', 'ws', 1)}/ws") as socket:
        try:
            if token is not None:
                await _say(socket, Authenticate(token=token))
            await _say(socket, cursor.question())
            while True:
                async with asyncio.timeout(None if subscribed else ANSWER_WITHIN_S):
                    frame = await socket.recv()
                if (message := cursor.take(decoded(frame))) is not None:
                    subscribed = True
                    yield message
        except TimeoutError:
            raise NoWay(f"a WebSocket brought no answer within {ANSWER_WITHIN_S:.0f} s", passing=True) from None
        except ConnectionClosed as error:
            raise _closed(error, subscribed=subscribed) from error


def is_local(url: str) -> bool:
    """Returns whether the address is on this machine, so that no proxy is used."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
        raise _not_connected(address, error) from error
    async with socket:
        yield socket


def _not_connected(address: str, error: Exception) -> Exception:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return NoWay(f"{address} answered a WebSocket with {status}", passing=status >= 500 or status == 429)
    if isinstance(error, InvalidHandshake | TimeoutError):
        return NoWay(f"{address} does not speak WebSocket ({error})", passing=True)
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError):
        return Interrupted(str(error) or "no answer")
    return Refused(f"{address}: {error}")


async def _say(socket: ClientConnection, message: ClientMessage) -> None:
    await socket.send(encode_message(message), text=True)


def _closed(error: ConnectionClosed, *, subscribed: bool) -> Exception:
    """Returns the exception for a closed connection: Refused, Interrupted or NoWay, by its close code."""
    code, said = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")
    if code in FINAL:
        reason = f"{said or 'the notifier closed the connection'} ({code})"
        return Refused(reason, "unauthenticated" if code == UNAUTHENTICATED else None)
    reason = said or ("the connection broke off" if error.rcvd is None else f"closed with {code}")
    return Interrupted(reason) if subscribed or code in OURS else NoWay(f"a WebSocket ended early: {reason}", passing=True)
