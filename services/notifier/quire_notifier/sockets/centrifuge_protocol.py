"""The part of Centrifugo's JSON client protocol that a feed needs (centrifugal.dev/docs/transports/client_protocol).

A command of the client carries an id, which the reply repeats; pushes and pings have no id. Several commands may share a frame,
one on each line.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from quire_notifier.pushing.groups import Encoding, seq_of
from quire_notifier.sockets.frames import text_frame

INTERNAL, UNAUTHORIZED, PERMISSION_DENIED, METHOD_NOT_FOUND = 100, 101, 103, 104
ALREADY_SUBSCRIBED, LIMIT_EXCEEDED, BAD_REQUEST, TOKEN_EXPIRED = 105, 106, 107, 109
INSUFFICIENT_STATE = 2500
"""Code of an unsubscribe push after which the client subscribes again by itself."""
NO_PONG = 3012
PING = text_frame(b"{}")


class Connect(Struct, frozen=True):
    token: str = ""


class SubscribeTo(Struct, frozen=True):
    """A subscribe command. `recover` asks to go on after `offset` of `epoch`."""

    channel: str
    recover: bool = False
    epoch: str = ""
    offset: int = 0


class Unsubscribe(Struct, frozen=True):
    channel: str


class Refresh(Struct, frozen=True):
    token: str


class Command(Struct, frozen=True):
    """A command of the client. One field besides `id` is set; a command without any is the answer to a ping."""

    id: int = 0
    connect: Connect | None = None
    subscribe: SubscribeTo | None = None
    unsubscribe: Unsubscribe | None = None
    refresh: Refresh | None = None
    ping: dict[str, Any] | None = None


_command = msgspec.json.Decoder(Command)


def commands(text: str) -> Iterator[Command]:
    """Yields the commands of a frame. Raises ValueError for a line that is no command."""
    for line in text.split("\n"):
        if line.strip():
            yield _command.decode(line)


def reply(command: Command, **result: Any) -> bytes:
    """Returns the reply to a command as a frame."""
    return text_frame(msgspec.json.encode({"id": command.id, **result}))


def failure(command: Command, code: int, message: str) -> bytes:
    return reply(command, error={"code": code, "message": message, "temporary": code == INTERNAL})


def unsubscribed(channel: str, reason: str) -> bytes:
    push = {"channel": channel, "unsubscribe": {"code": INSUFFICIENT_STATE, "reason": reason}}
    return text_frame(msgspec.json.encode({"push": push}))


@lru_cache(maxsize=1024)
def publications_of(channel: str) -> Encoding:
    """Returns the encoding of feed messages as publications. All clients of the channel get the same function."""

    def encode(text: bytes) -> bytes:
        publication = {"data": Raw(text), "offset": seq_of(text)}
        return text_frame(msgspec.json.encode({"push": {"channel": channel, "pub": publication}}))

    return encode
