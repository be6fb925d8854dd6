"""What is asked of ingest over HTTP (docs/design.md, "Contracts"). A body that is not there is an empty object."""

from typing import Annotated

from msgspec import Meta, Struct

from quire_schemas.events import MAX_BATCH_SIZE, FileCode

MAX_KEY_BYTES = 255
"""Of an Idempotency-Key."""


class Cancel(Struct, frozen=True, kw_only=True):
    """The body of a cancel."""

    reason: str | None = None


class Retry(Struct, frozen=True, kw_only=True):
    """The body of a retry: all failed and cancelled files, unless some are named. `force`: although the batch has not ended."""

    file_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_BATCH_SIZE)] | None = None
    force: bool = False


class RetryFiles(Struct, frozen=True, kw_only=True):
    """The body of a retry of an upload: all failed and cancelled files, unless some are named, or the codes of their failures."""

    file_ids: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    codes: Annotated[tuple[FileCode, ...], Meta(min_length=1)] | None = None
