"""Cursors as they are given out: opaque to clients, a place in an order to us. `web/paging.py` reads them again."""

import base64
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec


class Onward(NamedTuple):
    """Where a snapshot goes on: after this batch, as of `seq` or later."""

    seq: int
    at: datetime
    id: UUID


def cursor_of(*place: object) -> str:
    """Of the fields of a place: an Onward, or one of a list's."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")
