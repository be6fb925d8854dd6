"""What is answered and is no view: an answer that a service writes from pieces which are JSON already."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from quire_schemas.fields import Notice
from quire_schemas.messages import AnyFeedMessage, Subscribed
from quire_schemas.states import BatchState

SnapshotAnswer = list[Subscribed]


class About(Struct, frozen=True):
    """What ingest says of itself."""

    service: str
    upload: str


class FeedPage(Struct, frozen=True, kw_only=True):
    """Messages after the seq asked for; go on after `next_cursor` (null: that was the last one yet)."""

    epoch: str
    items: list[AnyFeedMessage]
    next_cursor: int | None


class StatesPage(Struct, frozen=True, kw_only=True):
    """Folded states of batches, and where the next ones are."""

    items: list[BatchState]
    next_cursor: str | None


class PageText(Struct, frozen=True, kw_only=True):
    """The text of a page, from 1. `missing`: why there is none, or not all of it."""

    page: int
    text: str
    missing: Literal["no_text", "unreadable", "cut"] | UnsetType = UNSET


class FileText(Struct, frozen=True, kw_only=True):
    """The text of a file, page by page, and the metadata as the PDF has them."""

    page_count: int
    truncated: bool
    title: str | None
    metadata: dict[str, str]
    pages: list[PageText]


class ExportedText(Struct, frozen=True, kw_only=True):
    """A line of an export of texts. `error` stands in for the pages of a file whose text is gone. Go on after `cursor`."""

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
    """The same export, relative to the notifier's address; under jwt signed, and good for a while."""

    link: str
