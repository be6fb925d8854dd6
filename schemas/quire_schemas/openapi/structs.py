"""Structs of answers that are no views: services write these answers from pieces that are JSON already."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from quire_schemas.fields import Notice
from quire_schemas.messages import AnyFeedMessage, Subscribed
from quire_schemas.states import BatchState

SnapshotAnswer = list[Subscribed]


class About(Struct, frozen=True):
    """Name of ingest, and where to upload."""

    service: str
    upload: str


class FeedPage(Struct, frozen=True, kw_only=True):
    """A page of messages. `next_cursor` is the `after` of the next page; null if there are no later messages yet."""

    epoch: str
    items: list[AnyFeedMessage]
    next_cursor: int | None


class StatesPage(Struct, frozen=True, kw_only=True):
    """A page of the folded states of batches; `next_cursor` is null on the last page."""

    items: list[BatchState]
    next_cursor: str | None


class PageText(Struct, frozen=True, kw_only=True):
    """The text of a page; pages count from 1. `missing` tells why there is no text, or not all of it."""

    page: int
    text: str
    missing: Literal["no_text", "unreadable", "cut"] | UnsetType = UNSET


class FileText(Struct, frozen=True, kw_only=True):
    """The text of a file, page by page, and the metadata as they are in the PDF."""

    page_count: int
    truncated: bool
    title: str | None
    metadata: dict[str, str]
    pages: list[PageText]


class ExportedText(Struct, frozen=True, kw_only=True):
    """A line of an export of texts. A file whose text is gone has `error` instead of pages. Resume an export with `cursor`."""

    file_id: str
    filename: str
    path: str | None
    batch_id: str
    page_count: int | None
    notices: list[Notice]
    pages: list[PageText] | None
    cursor: str
    error: Literal["object_missing"] | UnsetType = UNSET


class ExportLink(Struct, frozen=True, kw_only=True):
    """A link to the export, relative to the notifier's address. If QUIRE_AUTH is jwt, the link is signed and expires."""

    link: str
