"""Whether a file is taken at all (docs/design.md, "Upload"). What is inside it is the processor's to judge."""

import re
from typing import Literal

from msgspec import Struct

HEAD_BYTES = 1_024
"""Readers of PDF look for the header in so many bytes, as there may be something in front of it."""

_HEADER_OR_OBJECT = re.compile(rb"%PDF[^A-Za-z]|\b\d{1,7}\s+\d{1,5}\s+obj\b")

RejectionCode = Literal["not_a_pdf", "empty", "too_large"]


class Rejection(Struct, frozen=True):
    """Why a file is not taken; `message` is the sentence for its owner."""

    code: RejectionCode
    message: str


def looks_like_pdf(head: bytes) -> bool:
    """Whether readers of PDF would try it: by its header, or, where that is malformed or missing, by an object of a PDF."""
    return _HEADER_OR_OBJECT.search(head[:HEAD_BYTES]) is not None


def verdict(head: bytes, size: int, limit: int) -> Rejection | None:
    """Why a file with these first bytes and of this size is not taken; None where it is. `size` and `limit` in bytes."""
    if size == 0:
        return Rejection("empty", "The file is empty.")
    if not looks_like_pdf(head):
        return Rejection("not_a_pdf", "This is not a PDF: its first 1,024 bytes hold neither %PDF nor an object of one.")
    if size > limit:
        return Rejection("too_large", f"The file takes {size:,} bytes, {limit:,} are allowed.")
    return None
