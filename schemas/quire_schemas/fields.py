"""Types of fields that events, messages and views share, each with its limits."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Annotated, Literal, NamedTuple, get_args

from msgspec import Meta, Struct, inspect

MAX_FILENAME_BYTES = 255
MAX_PATH_BYTES = 1_024
MAX_TITLE_BYTES = 255
MAX_REASON_BYTES = 1_024


def _bytes(most: int, description: str, *, least: int | None = None) -> Meta:
    """Returns limits of a text. JSON Schema and msgspec count characters; `too_long` checks the limit in bytes of UTF-8."""
    return Meta(min_length=least, max_length=most, extra={"max_bytes": most}, description=description)


# The pattern needs a maximal length as well, because Python's `$` matches before a line feed at the end.
Id = Annotated[
    str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", max_length=36, description="A UUID in lower case.")
]
COLLECTION = re.compile(r"[A-Za-z0-9._-]{1,128}")
CollectionId = Annotated[str, Meta(pattern=f"^{COLLECTION.pattern}$", max_length=128)]
Filename = Annotated[str, _bytes(MAX_FILENAME_BYTES, "At most 255 UTF-8 bytes.", least=1)]
RelativePath = Annotated[str, _bytes(MAX_PATH_BYTES, "At most 1,024 UTF-8 bytes; components parted by slashes.", least=1)]
RequestName = Filename
Title = Annotated[str, _bytes(MAX_TITLE_BYTES, "At most 255 UTF-8 bytes.")]
Reason = Annotated[str, _bytes(MAX_REASON_BYTES, "A sentence for people, at most 1 KiB.")]
Key = Annotated[str, Meta(min_length=1, max_length=1024, description="A key in the object store's bucket.")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # exact in JavaScript, and fits a bigint of Postgres
Number = Annotated[int, Meta(ge=0, le=10**9)]  # this number and the next larger one fit an integer of Postgres
Time = Annotated[datetime, Meta(tz=True)]


NoticeCode = Literal[
    "no_text",
    "pages_without_text",
    "truncated",
    "unreadable_pages",
    "xfa",
    "attachments",
    "unmapped_text",
    "no_thumbnail",
]
NOTICES: tuple[NoticeCode, ...] = get_args(NoticeCode)
MAX_NOTICE_LENGTH = 255
MAX_NAMES = 5
MAX_NAME_BYTES = 60


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a reader of a processed file's text has to know; `message` is a sentence that says what to do.

    `count` is a number of pages, attachments or characters, depending on the code; `names` are the first names among them.
    """

    code: NoticeCode
    message: Annotated[str, Meta(max_length=MAX_NOTICE_LENGTH)]
    count: Number | None = None
    names: Annotated[tuple[Annotated[str, Meta(max_length=MAX_NAME_BYTES)], ...], Meta(max_length=MAX_NAMES)] = ()


Notices = Annotated[tuple[Notice, ...], Meta(max_length=len(NOTICES), description="Each code at most once.")]


class _Bounds(NamedTuple):
    """Limits of a struct's texts in bytes, by field; and by field the bounds of the structs in a tuple."""

    texts: dict[str, int]
    tuples: dict[str, "_Bounds"]


def too_long(struct: Struct) -> tuple[str, int] | None:
    """Returns the name of a field that takes more bytes than its type allows, and its limit; None if there is no such field.
    Structs in the struct are checked, too.
    """
    return _too_long(struct, _bounds(type(struct)))


def _too_long(struct: Struct, bounds: _Bounds) -> tuple[str, int] | None:
    for field, limit in bounds.texts.items():
        if len((getattr(struct, field) or "").encode()) > limit:
            return field, limit
    return next((found for part, within in _parts(struct, bounds) if (found := _too_long(part, within)) is not None), None)


def _parts(struct: Struct, bounds: _Bounds) -> Iterator[tuple[Struct, _Bounds]]:
    return ((part, within) for field, within in bounds.tuples.items() for part in getattr(struct, field))


@cache
def _bounds(struct: type[Struct]) -> _Bounds:
    bounds = _Bounds({}, {})
    for field in inspect.type_info(struct).fields:  # type: ignore[attr-defined]  # of a struct
        for kind in _alternatives(field.type):
            if isinstance(kind, inspect.Metadata) and kind.extra is not None:
                bounds.texts[field.name] = kind.extra["max_bytes"]
            elif isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
                bounds.tuples[field.name] = _bounds(kind.item_type.cls)
    return bounds


def _alternatives(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)
