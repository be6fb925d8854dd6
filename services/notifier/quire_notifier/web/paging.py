"""Pages of lists and of the feed. Decodes cursors into places in an ordered list, or raises a Problem."""

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
"""Orders of files: the newest batch first, or as uploaded. In both, the files of a batch are in the batch's order."""
Position = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # as Postgres has it
Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ)]


class Place(NamedTuple):
    """The place of a page's last batch, in a list ordered by time, then id."""

    at: datetime
    id: UUID


class FilePlace(NamedTuple):
    """The place of a page's last file. Within a batch, files are in the batch's order."""

    at: datetime
    batch_id: UUID
    position: int
    id: UUID


_place = msgspec.json.Decoder(tuple[datetime, UUID])
_file_place = msgspec.json.Decoder(tuple[Order, datetime, UUID, Position, UUID])
_onward = msgspec.json.Decoder(tuple[Seq, datetime, UUID])


def place_of(cursor: str | None) -> Place | None:
    """Returns the place that a cursor of a list of batches names. Raises Problem 422 for an invalid cursor."""
    return None if cursor is None else Place(*_decoded(cursor, _place))


def file_place_of(cursor: str | None, order: Order = "newest") -> FilePlace | None:
    """Returns the place that a cursor of a list of files names. Raises Problem 422 for an invalid cursor, or for one of another
    order.
    """
    if cursor is None:
        return None
    its_order, at, batch_id, position, file_id = _decoded(cursor, _file_place)
    if its_order != order:
        raise Problem(422, "invalid_cursor", f"This cursor is of a list in the order {its_order}, and {order} is asked for.")
    return FilePlace(at, batch_id, position, file_id)


def cursor_after(file: FileRow, order: Order) -> str:
    """Returns the cursor from which a list in this order goes on after the file."""
    return cursor_of(order, file.created_at, file.batch_id, file.position, file.id)


def onward_of(cursor: str | None) -> Onward | None:
    """Returns the place where a snapshot goes on. Raises Problem 422 for an invalid cursor."""
    return None if cursor is None else Onward(*_decoded(cursor, _onward))


def _decoded(cursor: str, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        place = decoder.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        place = None
    # A time in another zone may fall outside of the years that exist in UTC.
    if place is None or not all(field.tzinfo is UTC for field in place if isinstance(field, datetime)):
        raise Problem(422, "invalid_cursor", "cursor takes what next_cursor of the page before was.")
    return place


class FeedPage(msgspec.Struct, frozen=True):
    """Messages after the seq asked for; go on after `next_cursor` (null: there are no more messages yet)."""

    epoch: str
    items: list[Raw]
    next_cursor: int | None


def feed_page(stretch: Stretch, limit: int) -> FeedPage:
    items = [Raw(message.text) for message in stretch.messages]
    return FeedPage(stretch.epoch, items, stretch.messages[-1].seq if len(items) == limit else None)
