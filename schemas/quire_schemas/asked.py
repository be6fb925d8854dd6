"""Bodies of requests to ingest over HTTP (docs/design.md, "Contracts"). A missing body counts as an empty object."""

from typing import Annotated

from msgspec import Meta, Struct

from quire_schemas.events import MAX_BATCH_SIZE, FileCode

MAX_KEY_BYTES = 255
"""Number of bytes that an Idempotency-Key takes at most."""


class Cancel(Struct, frozen=True, kw_only=True):
    """The body of a cancel of a batch or an upload."""

    reason: str | None = None


class Retry(Struct, frozen=True, kw_only=True):
    """The body of a retry of a batch. All its failed and cancelled files are retried, unless `file_ids` names some. `force`
    retries a batch that has not ended, too.
    """

    file_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_BATCH_SIZE)] | None = None
    force: bool = False


class RetryFiles(Struct, frozen=True, kw_only=True):
    """The body of a retry of an upload. All its failed and cancelled files are retried, unless `file_ids` names some, or
    `codes` names the error codes of some.
    """

    file_ids: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    codes: Annotated[tuple[FileCode, ...], Meta(min_length=1)] | None = None
