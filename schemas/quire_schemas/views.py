"""Answers of the HTTP API (docs/design.md, "Contracts"): field order and names are the contract. Times are RFC 3339 in UTC."""

from typing import Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType

from quire_schemas.events import BatchCode, FileCode, FileStage, Policy, Stage, Standing, Status
from quire_schemas.fields import MAX_FILENAME_BYTES, Notice, Time

Item = TypeVar("Item")


class UploadLimits(Struct, frozen=True, kw_only=True):
    """Limits of one upload: a larger one is refused. The name of a file is shortened to `max_filename_bytes` of UTF-8."""

    max_file_bytes: int = 2 * 1024**3
    max_request_bytes: int = 16 * 1024**3
    max_files: int = 10_000
    max_filename_bytes: int = MAX_FILENAME_BYTES


class Config(Struct, frozen=True, kw_only=True):
    """Settings that a client needs first. An empty `ingest_url` stands for the notifier's own origin. `auth` is none or jwt."""

    ingest_url: str = ""
    auth: str = "none"
    batch_size: int = 25
    limits: UploadLimits = UploadLimits()


class Links(Struct, frozen=True, kw_only=True):
    """Links to a file's contents, relative to the notifier's address, which ends in a slash; null where no content is yet."""

    original: str | None
    text: str | None
    thumbnail: str | None


class Match(Struct, frozen=True, kw_only=True):
    """A place in a file's text that matches the search. `snippet` is plain text. Each of `hits` is a range of it: the index of
    its first character and the index after its last, in code points from 0.
    """

    page: int
    snippet: str
    hits: list[tuple[int, int]]


class FileView(Struct, frozen=True, kw_only=True):
    """A file. `file_size` is in bytes; `upload_progress` is the percentage of bytes known to be in object storage. `position`
    is the file's place in the batch, from 0; `path` is its path in the folder that was uploaded.

    `characters` counts the text of the `pages_read` pages; `notices` tell what of the file is not in that text. `started_at` is
    when work on the file began, `duration_ms` how long it took; both are null where that is not known, or not yet.
    """

    file_id: str
    batch_id: str
    collection_id: str
    original_filename: str
    path: str | None = None
    position: int = 0
    file_size: int
    processing_status: Standing
    upload_progress: int
    error_code: FileCode | None
    error_message: str | None
    page_count: int | None
    title: str | None
    truncated: bool = False
    pages_read: int | None = None
    characters: int | None = None
    notices: tuple[Notice, ...] = ()
    sha256: str
    created_at: Time
    updated_at: Time
    started_at: Time | None = None
    duration_ms: int | None = None
    links: Links
    matches: list[Match] | UnsetType = UNSET


class FilePosition(Struct, frozen=True, kw_only=True):
    """A file that is being worked on since `started_at`. While its text is extracted, `page` of `pages` tells the progress."""

    file_id: str
    stage: FileStage
    page: int | None
    pages: int | None
    filename: str | UnsetType = UNSET
    started_at: Time | UnsetType = UNSET


class BatchView(Struct, frozen=True, kw_only=True):
    """A batch. It has `files` only in the answer for one batch, and `in_flight` only there and in a snapshot."""

    batch_id: str
    collection_id: str
    request_id: str
    status: Status
    policy: Policy
    generation: int
    attempt: int
    stage: Stage | None
    total: int
    processed: int
    failed: int
    cancelled: int
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    last_seen_at: Time | None
    worker: str | None
    error_code: BatchCode | None
    error_message: str | None
    files: list[FileView] | UnsetType = UNSET
    in_flight: list[FilePosition] | UnsetType = UNSET


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of a list; `next_cursor` is null on the last page. In a search in texts, `unindexed` is the number of files
    whose text is stored but cannot be found yet.
    """

    items: list[Item]
    next_cursor: str | None
    unindexed: int | UnsetType = UNSET


class BatchCounts(Struct, frozen=True, kw_only=True):
    """Numbers of a request's batches. They include all batches as soon as the upload has been answered."""

    total: int
    ended: int


class FileCounts(Struct, frozen=True, kw_only=True):
    """Numbers of files by status; `total` is their sum."""

    total: int
    queued: int
    processing: int
    processed: int
    failed: int
    cancelled: int


class CollectionView(Struct, frozen=True, kw_only=True):
    """A collection that has ever had a batch. `active` is the number of batches that have not ended; `files` counts files by
    status.
    """

    collection_id: str
    last_seq: int
    active: int
    files: FileCounts


class RequestView(Struct, frozen=True, kw_only=True):
    """An upload: all its batches as one. `bytes` is the size of its files, `pages` the number of pages of the processed files.

    `files_per_second` is the rate of the last 20 s while the upload is processed, and of its whole duration once it has ended.
    `eta_seconds` is the time left at this rate.
    """

    request_id: str
    collection_id: str
    name: str
    status: Status
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    batches: BatchCounts
    files: FileCounts
    bytes: int
    pages: int
    files_per_second: float | None
    eta_seconds: float | None


class FailureView(Struct, frozen=True, kw_only=True):
    """The files of a request or a collection that failed for one reason. `message` is the sentence that most of them have.
    `retriable` counts the files in batches that have ended. For a collection, `request_ids` names the uploads with such files,
    100 at most.
    """

    code: FileCode
    count: int
    retriable: int
    message: str
    request_ids: list[str] | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """The answer of one batch to a command to its request: 202, or the status and code of a problem."""

    batch_id: str
    status: int
    code: str | UnsetType = UNSET


class RequestCommandAccepted(Struct, frozen=True, kw_only=True):
    """The 202 of a command to a request: at least one batch accepted it. Batches that it does not concern are left out."""

    request_id: str
    batches: list[BatchAnswer]


class CreatedFile(Struct, frozen=True, kw_only=True):
    """An accepted file; `size` in bytes."""

    file_id: str
    filename: str
    size: int


class CreatedBatch(Struct, frozen=True, kw_only=True):
    batch_id: str
    files: list[CreatedFile]


class RejectedFile(Struct, frozen=True, kw_only=True):
    """A file that was not accepted, with the reason and what to do."""

    filename: str
    code: str
    message: str


class Accepted(Struct, frozen=True, kw_only=True):
    """The 202 of an upload: a promise that every batch in it is in the log."""

    request_id: str
    collection_id: str
    accepted: int
    rejected: list[RejectedFile]
    batches: list[CreatedBatch]


class CommandAccepted(Struct, frozen=True, kw_only=True):
    """The 202 of a cancel or retry: the event is in the log."""

    batch_id: str
    event_id: str
    generation: int
