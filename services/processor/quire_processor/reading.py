"""The facts that a worker reads from a file, in the types of the events that are made of them (docs/design.md, "A file")."""

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from quire_processor.metadata import MAX_KEY_BYTES, MAX_KEYS, MAX_VALUE_BYTES
from quire_schemas.fields import Count, Notices, Number, Title

RefusedCode = Literal["encrypted", "corrupt", "not_a_pdf", "empty", "too_many_pages", "out_of_memory", "disk_full"]
"""The failure codes that a worker may give a file; the processor gives the others."""

OnPage = Callable[[int, int], None]
"""Called with the number of the page that has been read, from 1, and the number of pages."""

MAX_UNREADABLE = 10_000  # unreadable pages that are listed by number

Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=MAX_KEY_BYTES)], Annotated[str, Meta(max_length=MAX_VALUE_BYTES)]],
    Meta(max_length=MAX_KEYS),
]


class Reading(Struct, frozen=True, kw_only=True):
    """The facts that were read from a file.

    `rows` is the number of lines in `pages.tsv`: one for each page that reading has come to. The lines of `unreadable` pages
    (numbers from 1) are empty. `cut` says that the text of the last page is cut off, `thumbnail` that there is a picture.
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
