"""Cursors of lists, read: a place in an order, or a Problem."""

import base64
from datetime import UTC, datetime
from typing import Annotated, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from quire_notifier.pushing.cursors import Onward
from quire_notifier.web.parameters import MAX_SEQ
from quire_runtime.http import Problem

T = TypeVar("T", bound=tuple[object, ...])
Position = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # as Postgres has it
Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ)]


class Place(NamedTuple):
    """The last batch of a page: they are ordered by time, then id."""

    at: datetime
    id: UUID


class FilePlace(NamedTuple):
    """The last file of a page: those of a batch are in its order."""

    at: datetime
    batch_id: UUID
    position: int
    id: UUID


_place = msgspec.json.Decoder(tuple[datetime, UUID])
_file_place = msgspec.json.Decoder(tuple[datetime, UUID, Position, UUID])
_onward = msgspec.json.Decoder(tuple[Seq, datetime, UUID])


def place_of(cursor: str | None) -> Place | None:
    """Raises Problem 422 where it is none of our cursors."""
    return None if cursor is None else Place(*_decoded(cursor, _place))


def file_place_of(cursor: str | None) -> FilePlace | None:
    """Raises Problem 422 where it is none of our cursors."""
    return None if cursor is None else FilePlace(*_decoded(cursor, _file_place))


def onward_of(cursor: str | None) -> Onward | None:
    """Raises Problem 422 where it is none of our cursors."""
    return None if cursor is None else Onward(*_decoded(cursor, _onward))


def _decoded(cursor: str, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        place = decoder.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        place = None
    # A time of another zone may be, in UTC, of a year that there is not.
    if place is None or not all(field.tzinfo is UTC for field in place if isinstance(field, datetime)):
        raise Problem(422, "invalid_cursor", "cursor takes what next_cursor of the page before was.")
    return place
