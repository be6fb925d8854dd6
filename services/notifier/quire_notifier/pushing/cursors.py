"""Encodes cursors. To clients a cursor is opaque; for us it is a place in an ordered list. `web/paging.py` decodes cursors."""

import base64
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec


class Onward(NamedTuple):
    """The place where a snapshot continues: after this batch, as of `seq` or later."""

    seq: int
    at: datetime
    id: UUID


def cursor_of(*place: object) -> str:
    """Returns the cursor of a place, given its fields: those of an Onward, or of a place in a list."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")
