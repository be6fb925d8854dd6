"""The place of a client in a feed, how each message moves it, and the exceptions that end a connection."""

import msgspec
from msgspec import UNSET, Struct

from quire_schemas.messages import (
    AnyFeedMessage,
    Error,
    FeedMessage,
    ServerMessage,
    Snapshot,
    Subscribe,
    Subscribed,
    decode_server_message,
)
from quire_schemas.views import BatchView

Item = Subscribed | AnyFeedMessage
ANSWER_WITHIN_S = 30.0
_PASSING = frozenset({"auth_unavailable", "too_many_sockets"})
"""Codes of an ERROR message after which the same attempt may succeed."""


class Refused(Exception):
    """The notifier refuses the request; trying again does not help."""

    def __init__(self, reason: str, code: str | None = None) -> None:
        super().__init__(reason)
        self.code = code


class Interrupted(Exception):
    """This connection cannot be used any more; a new one may succeed."""


class NoWay(Exception):
    """This way of connecting does not reach the notifier, though something answers; another way may."""

    def __init__(self, reason: str, *, passing: bool) -> None:
        """`passing` tells that the same way may reach the notifier later."""
        super().__init__(reason)
        self.passing = passing


class Unknown(Struct):
    """A message of a newer version than this client knows: its seq is counted, its content is ignored."""

    seq: int | None = None


class Cursor:
    """Place of a client in a feed: the seq and epoch of the last message taken.

    `seq` is None before the first message, and when the feed cannot be resumed at the last place.
    """

    def __init__(self, collection: str, after: int | None, epoch: str | None) -> None:
        self.collection = collection
        self.seq = after
        self.epoch = epoch
        self._parts: list[BatchView] = []

    def question(self) -> Subscribe:
        self._parts = []
        return Subscribe(collection_id=self.collection, after=self.seq, epoch=self.epoch)

    def place(self) -> dict[str, str]:
        """Returns the place as query parameters of an HTTP request; empty before the first message."""
        self._parts = []
        if self.seq is None:
            return {}
        return {"after": str(self.seq)} | ({} if self.epoch is None else {"epoch": self.epoch})

    def start_over(self) -> None:
        self.seq = self.epoch = None

    def take(self, message: ServerMessage | Unknown) -> Item | None:
        """Returns the message if it is new for the caller, else None.

        Raises Interrupted when the message before it is missing or an error may pass, and Refused for any other error.
        """
        if isinstance(message, Subscribed):
            return self._subscribed(message)
        if isinstance(message, Error):
            reason = f"{message.message} ({message.code})"
            raise Interrupted(reason) if message.code in _PASSING else Refused(reason, message.code)
        if isinstance(message, FeedMessage | Unknown):
            new = message.seq is not None and self._advance(message.seq)
            return message if new and not isinstance(message, Unknown) else None
        return None

    def _advance(self, seq: int) -> bool:
        if self.seq is not None and seq <= self.seq:
            return False
        if self.seq is not None and seq > self.seq + 1:
            raise Interrupted(f"message {self.seq + 1} is missing")
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
            snapshot = frame.snapshot or Snapshot(batches=[])
            whole = msgspec.structs.replace(whole, snapshot=msgspec.structs.replace(snapshot, batches=self._parts))
        self.epoch, self._parts = frame.epoch, []
        return whole


def decoded(frame: str | bytes | msgspec.Raw) -> ServerMessage | Unknown:
    try:
        message: ServerMessage = decode_server_message(frame)
    except msgspec.ValidationError:
        return msgspec.json.decode(frame, type=Unknown)
    return message
