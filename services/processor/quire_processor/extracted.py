"""What comes of a file: its facts and the files that hold its results, or why there are none."""

from pathlib import Path

from msgspec import Struct

from quire_schemas.events import FileCode, Notice


class ExtractionFailed(Exception):
    """The file cannot be processed: `code` for programs, the message for its owner."""

    def __init__(self, code: FileCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Extracted(Struct, frozen=True, kw_only=True):
    """What came of a file, and where its results lie."""

    page_count: int
    title: str | None
    metadata: dict[str, str]
    truncated: bool
    pages_read: int
    characters: int
    notices: tuple[Notice, ...]
    text_path: Path
    pages_path: Path
    thumbnail_path: Path | None
