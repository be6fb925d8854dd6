"""The result of reading a file: its facts, text and picture, or the failure."""

from pathlib import Path

from msgspec import Struct

from quire_schemas.events import FileCode
from quire_schemas.fields import Notice


class ExtractionFailed(Exception):
    """The file cannot be processed: `code` for programs, the message for its owner."""

    def __init__(self, code: FileCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Extracted(Struct, frozen=True, kw_only=True):
    """The result of reading a file. `text` is text.json; `pages` is the text of each page or, where it is long, pages.tsv."""

    page_count: int
    title: str | None
    metadata: dict[str, str]
    truncated: bool
    pages_read: int
    characters: int
    notices: tuple[Notice, ...]
    text: bytes | Path
    pages: tuple[str, ...] | Path
    thumbnail: bytes | None
