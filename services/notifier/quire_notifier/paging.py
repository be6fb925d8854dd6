"""Cursors of lists: opaque to clients, a place in an order to us."""

import base64
import binascii
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from quire_runtime.http import Problem


class Place(NamedTuple):
    """The last item of a page: lists are ordered by time, then id."""

    at: datetime
    id: UUID


_place = msgspec.json.Decoder(tuple[datetime, UUID])


def cursor_of(at: datetime, item_id: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((at, item_id))).decode().rstrip("=")


def place_of(cursor: str | None) -> Place | None:
    """Raises Problem 422 where it is none of our cursors."""
    if cursor is None:
        return None
    try:
        return Place(*_place.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))
    except (binascii.Error, ValueError) as error:
        raise Problem(422, "invalid_cursor", "cursor takes what next_cursor of the page before was.") from error
