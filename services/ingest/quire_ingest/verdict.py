"""Whether a file is taken at all (DESIGN §3). What is inside it is the processor's to judge."""

from typing import Literal

from msgspec import Struct

HEAD_BYTES = 1_024
"""Readers of PDF look for the header in so many bytes, as there may be something in front of it."""

RejectionCode = Literal["not_a_pdf", "empty", "too_large"]


class Rejection(Struct, frozen=True):
    """Why a file is not taken; `message` is the sentence for its owner."""

    code: RejectionCode
    message: str


def looks_like_pdf(head: bytes) -> bool:
    return b"%PDF-" in head[:HEAD_BYTES]


def verdict(head: bytes, size: int, limit: int) -> Rejection | None:
    """Why a file with these first bytes and of this size is not taken; None where it is. `size` and `limit` in bytes."""
    if size == 0:
        return Rejection("empty", "The file is empty.")
    if not looks_like_pdf(head):
        return Rejection("not_a_pdf", "This is not a PDF: its first 1,024 bytes hold no %PDF-.")
    if size > limit:
        return Rejection("too_large", f"The file takes {size:,} bytes, {limit:,} are allowed.")
    return None
