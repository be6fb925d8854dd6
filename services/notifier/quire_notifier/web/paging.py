"""Pages of lists: cursors, read as a place in an order or a Problem, and pages of the feed."""

import base64
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple, TypeVar, get_args
from uuid import UUID

import msgspec
from msgspec import Meta, Raw

from quire_notifier.projecting.rows import FileRow
from quire_notifier.pushing.cursors import Onward, cursor_of
from quire_notifier.pushing.feed import Stretch
from quire_notifier.web.parameters import MAX_SEQ
from quire_runtime.http import Problem

T = TypeVar("T", bound=tuple[object, ...])
Order = Literal["newest", "upload"]
ORDERS: tuple[Order, ...] = get_args(Order)
"""Of files: the newest batch first, or as they were uploaded; those of a batch are in its order in both."""
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
_file_place = msgspec.json.Decoder(tuple[Order, datetime, UUID, Position, UUID])
_onward = msgspec.json.Decoder(tuple[Seq, datetime, UUID])


def place_of(cursor: str | None) -> Place | None:
    """Raises Problem 422 where it is none of our cursors."""
    return None if cursor is None else Place(*_decoded(cursor, _place))


def file_place_of(cursor: str | None, order: Order = "newest") -> FilePlace | None:
    """Raises Problem 422 where it is none of our cursors, or one of another order."""
    if cursor is None:
        return None
    its_order, at, batch_id, position, file_id = _decoded(cursor, _file_place)
    if its_order != order:
        raise Problem(422, "invalid_cursor", f"This cursor is of a list in the order {its_order}, and {order} is asked for.")
    return FilePlace(at, batch_id, position, file_id)


def cursor_after(file: FileRow, order: Order) -> str:
    """Where a list in this order goes on after the file."""
    return cursor_of(order, file.created_at, file.batch_id, file.position, file.id)


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


class FeedPage(msgspec.Struct, frozen=True):
    """Messages after the seq asked for; go on after `next_cursor` (null: that was the last one yet)."""

    epoch: str
    items: list[Raw]
    next_cursor: int | None


def feed_page(stretch: Stretch, limit: int) -> FeedPage:
    items = [Raw(message.text) for message in stretch.messages]
    return FeedPage(stretch.epoch, items, stretch.messages[-1].seq if len(items) == limit else None)
