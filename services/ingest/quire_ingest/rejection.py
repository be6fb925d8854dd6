"""Decides whether a file is accepted (docs/design.md, "Upload"). Its inside is checked later, by the processor."""

import re
from typing import Literal

from msgspec import Struct

HEAD_BYTES = 1_024
"""Bytes in which PDF readers look for the header, as other bytes may come before it."""

_HEADER_OR_OBJECT = re.compile(rb"%PDF[^A-Za-z]|\b\d{1,7}\s+\d{1,5}\s+obj\b")

RejectionCode = Literal["not_a_pdf", "empty", "too_large"]


class Rejection(Struct, frozen=True):
    """The reason why a file is not accepted; `message` is the sentence for its owner."""

    code: RejectionCode
    message: str


def looks_like_pdf(head: bytes) -> bool:
    """Returns whether a PDF reader would try to read a file with these first bytes.

    A reader tries a file that has the header or, where that is malformed or missing, an object of a PDF.
    """
    return _HEADER_OR_OBJECT.search(head[:HEAD_BYTES]) is not None


def rejection_of(head: bytes, size: int, limit: int) -> Rejection | None:
    """Returns why a file with these first bytes and of this size is not accepted, or None. `size` and `limit` are in bytes."""
    if size == 0:
        return Rejection("empty", "The file is empty.")
    if not looks_like_pdf(head):
        return Rejection("not_a_pdf", "This is not a PDF: its first 1,024 bytes hold neither %PDF nor an object of one.")
    if size > limit:
        return Rejection("too_large", f"The file takes {size:,} bytes, {limit:,} are allowed.")
    return None
