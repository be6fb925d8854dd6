"""What is read of a file: the worker's answer, in the types of the events that it becomes (docs/design.md, "A file")."""

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from quire_processor.metadata import MAX_KEY_BYTES, MAX_KEYS, MAX_VALUE_BYTES
from quire_schemas.events import Count, Notices, Number, Title

RefusedCode = Literal["encrypted", "corrupt", "not_a_pdf", "empty", "too_many_pages", "out_of_memory", "disk_full"]
"""The codes that a worker may give a file; those of other failures are not its business."""

OnPage = Callable[[int, int], None]
"""Is told the page that has been read, from 1, and how many there are."""

MAX_UNREADABLE = 10_000  # pages that are named

Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=MAX_KEY_BYTES)], Annotated[str, Meta(max_length=MAX_VALUE_BYTES)]],
    Meta(max_length=MAX_KEYS),
]


class Reading(Struct, frozen=True, kw_only=True):
    """`pages.tsv` has so many `rows`, one for each page that was gone through; those of the `unreadable` (from 1) are empty.

    `cut`: the text of the last page goes on. `thumbnail`: there is a picture, too.
    """

    page_count: Number
    rows: Number
    pages_read: Number
    characters: Count
    truncated: bool
    title: Title | None
    metadata: Metadata
    notices: Notices
    unreadable: Annotated[tuple[Number, ...], Meta(max_length=MAX_UNREADABLE)] = ()
    cut: bool = False
    thumbnail: bool = False
