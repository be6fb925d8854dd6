"""What can be said in the log: one frozen struct per event type (docs/design.md, "Events").

An event is history, not a command that must succeed: what it does to a batch, and whether it does anything,
is decided by `quire_schemas.batch.evolve` alone.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

Policy = Literal["isolate", "all_or_nothing"]
Status = Literal["queued", "processing", "completed", "completed_with_errors", "failed", "cancelled"]
Standing = Literal["queued", "processing", "processed", "failed", "cancelled"]
Stage = Literal["started", "heartbeat", "database_insert_complete", "cloud_upload_complete"]
FileStage = Literal["fetching", "extracting", "inserting", "uploading"]
Dependency = Literal["log", "storage", "database", "disk"]
FileCode = Literal[
    "encrypted",
    "corrupt",
    "not_a_pdf",
    "empty",
    "too_large",
    "too_many_pages",
    "timeout",
    "out_of_memory",
    "worker_crashed",
    "object_missing",
    "object_corrupt",
    "storage_unavailable",
    "database_unavailable",
    "disk_full",
    "batch_failed",
    "internal",
]
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
BatchCode = Literal["all_files_failed", "file_failed", "attempts_exhausted"]

POLICIES: tuple[Policy, ...] = get_args(Policy)
NOTICES: tuple[NoticeCode, ...] = get_args(NoticeCode)
STATUSES: tuple[Status, ...] = get_args(Status)
STANDINGS: tuple[Standing, ...] = get_args(Standing)
TERMINAL: frozenset[Status] = frozenset({"completed", "completed_with_errors", "failed", "cancelled"})
SETTLED: frozenset[Standing] = frozenset({"processed", "failed", "cancelled"})

MAX_BATCH_SIZE = 100
MAX_FILENAME_BYTES = 255
MAX_PATH_BYTES = 1_024
MAX_TITLE_BYTES = 255
MAX_REASON_BYTES = 1024
MAX_NOTICE_LENGTH = 255
MAX_NAMES = 5
MAX_NAME_BYTES = 60

# A maximal length beside a pattern: Python's `$` lets a line feed through at the end.
Id = Annotated[
    str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", max_length=36, description="A UUID in lower case.")
]
COLLECTION = re.compile(r"[A-Za-z0-9._-]{1,128}")
CollectionId = Annotated[str, Meta(pattern=f"^{COLLECTION.pattern}$", max_length=128)]
Filename = Annotated[str, Meta(min_length=1, max_length=MAX_FILENAME_BYTES, description="At most 255 UTF-8 bytes.")]
RelativePath = Annotated[
    str, Meta(min_length=1, max_length=MAX_PATH_BYTES, description="At most 1,024 UTF-8 bytes; components parted by slashes.")
]
RequestName = Annotated[str, Meta(min_length=1, max_length=MAX_FILENAME_BYTES, description="At most 255 UTF-8 bytes.")]
Title = Annotated[str, Meta(max_length=MAX_TITLE_BYTES, description="At most 255 UTF-8 bytes.")]
Reason = Annotated[str, Meta(max_length=MAX_REASON_BYTES, description="A sentence for people, at most 1 KiB.")]
Key = Annotated[str, Meta(min_length=1, max_length=1024, description="A key in the object store's bucket.")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # what JavaScript counts exactly; fits a bigint
Number = Annotated[int, Meta(ge=0, le=10**9)]  # fits an integer of Postgres, and so does the next one
Time = Annotated[datetime, Meta(tz=True)]


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a reader of a processed file's text has to know; `message` is a sentence that says what to do.

    `count` is of pages, attachments or characters, as the code has it; `names` are the first ones.
    """

    code: NoticeCode
    message: Annotated[str, Meta(max_length=MAX_NOTICE_LENGTH)]
    count: Number | None = None
    names: Annotated[tuple[Annotated[str, Meta(max_length=MAX_NAME_BYTES)], ...], Meta(max_length=MAX_NAMES)] = ()


Notices = Annotated[tuple[Notice, ...], Meta(max_length=len(NOTICES), description="Each code at most once.")]


class FileSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored original; `size` in bytes. `path`: where it lay in the folder that was uploaded, its name included."""

    file_id: Id
    filename: Filename
    size: Count
    sha256: Sha256
    object_key: Key
    path: RelativePath | None = None


class BatchCreated(Struct, frozen=True, kw_only=True):
    """Up to 100 originals are in object storage and wait for a processor. All batches of a request say the same name of it."""

    collection_id: CollectionId
    request_id: Id
    policy: Policy = "isolate"
    files: Annotated[tuple[FileSpec, ...], Meta(min_length=1, max_length=MAX_BATCH_SIZE)]
    request_name: RequestName | None = None

    def __post_init__(self) -> None:
        _refuse_repeated(spec.file_id for spec in self.files)


class BatchStarted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A worker wants to run the batch. `attempt` counts over all generations, from 1."""

    attempt: Annotated[int, Meta(ge=1, le=10**9)]
    run_id: Id
    worker: Annotated[str, Meta(max_length=255)]


class InFlight(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a file is in the pipeline; `page` of `pages` while its text is extracted."""

    file_id: Id
    stage: FileStage
    page: Number | None = None
    pages: Number | None = None


class BatchProgressed(Struct, frozen=True, kw_only=True):
    """A sign of life. `waiting_for` names what the run cannot reach at the moment."""

    run_id: Id
    stage: Stage
    in_flight: Annotated[tuple[InFlight, ...], Meta(max_length=MAX_BATCH_SIZE)] = ()
    waiting_for: tuple[Dependency, ...] = ()


class BatchReleased(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run ends here on purpose and hands the unsettled files to whoever comes next."""

    run_id: Id


class FileProcessed(Struct, frozen=True, kw_only=True):
    """Rows and artefacts of the file are durable. Its keys are the true ones once this is accepted.

    `characters` counts the text of the `pages_read` pages; `notices` say what of the file is not in it.
    """

    run_id: Id
    file_id: Id
    page_count: Number
    text_key: Key
    thumbnail_key: Key | None = None
    title: Title | None = None
    truncated: bool = False
    pages_read: Number | None = None
    characters: Count | None = None
    notices: Notices = ()
    duration_ms: Count | None = None


class FileFailed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file cannot be processed; `message` is a sentence that says what to do."""

    run_id: Id
    file_id: Id
    code: FileCode
    message: Reason
    duration_ms: Count | None = None


class BatchCompleted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every file is settled and at least one is processed."""

    run_id: Id


class BatchFailed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The batch as a whole failed."""

    run_id: Id
    code: BatchCode
    message: Reason


class BatchCancelRequested(Struct, frozen=True, kw_only=True):
    """Someone cancels the given generation; it ends at this very place in the log."""

    generation: Number
    by: Annotated[str, Meta(max_length=255)] | None = None
    reason: Reason | None = None


class CarriedFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file with its standing, as a retry carries it for those who no longer know the batch."""

    file_id: Id
    filename: Filename
    size: Count
    sha256: Sha256
    object_key: Key
    standing: Standing
    updated_at: Time
    code: FileCode | None = None
    message: Reason | None = None
    page_count: Number | None = None
    title: Title | None = None
    text_key: Key | None = None
    thumbnail_key: Key | None = None
    truncated: bool = False
    pages_read: Number | None = None
    characters: Count | None = None
    notices: Notices = ()
    path: RelativePath | None = None
    started_at: Time | None = None
    duration_ms: Count | None = None


class BatchRetryRequested(Struct, frozen=True, kw_only=True):
    """Someone reopens the batch: `file_ids` are queued again, all failed and cancelled ones where it is None.

    `generation` is the one that is retried. `force` reopens a batch that has not ended, too. The rest describes the
    batch as its sender knew it and counts only for a reader who does not know the batch.
    """

    generation: Number
    force: bool = False
    file_ids: Annotated[tuple[Id, ...], Meta(max_length=MAX_BATCH_SIZE)] | None = None
    by: Annotated[str, Meta(max_length=255)] | None = None
    collection_id: CollectionId
    request_id: Id
    policy: Policy = "isolate"
    attempt: Number
    created_at: Time
    files: Annotated[tuple[CarriedFile, ...], Meta(min_length=1, max_length=MAX_BATCH_SIZE)]
    request_name: RequestName | None = None

    def __post_init__(self) -> None:
        _refuse_repeated(carried.file_id for carried in self.files)


EventData = (
    BatchCreated
    | BatchStarted
    | BatchProgressed
    | BatchReleased
    | FileProcessed
    | FileFailed
    | BatchCompleted
    | BatchFailed
    | BatchCancelRequested
    | BatchRetryRequested
)

TYPES: dict[str, type[EventData]] = {
    "quire.batch.created.v1": BatchCreated,
    "quire.batch.started.v1": BatchStarted,
    "quire.batch.progressed.v1": BatchProgressed,
    "quire.batch.released.v1": BatchReleased,
    "quire.file.processed.v1": FileProcessed,
    "quire.file.failed.v1": FileFailed,
    "quire.batch.completed.v1": BatchCompleted,
    "quire.batch.failed.v1": BatchFailed,
    "quire.batch.cancel_requested.v1": BatchCancelRequested,
    "quire.batch.retry_requested.v1": BatchRetryRequested,
}
TYPE_OF: dict[type[EventData], str] = {struct: name for name, struct in TYPES.items()}


class Event(Struct, frozen=True, kw_only=True):
    """One CloudEvent about one batch. `time` is UTC; `source` is a URI reference such as `/quire/processor/processor-1`."""

    id: str
    type: str
    source: str
    time: datetime
    batch_id: str
    collection_id: str
    data: EventData
    traceparent: str | None = None


def event_of(
    data: EventData,
    *,
    id: str,  # noqa: A002 - CloudEvents' own name of the attribute
    batch_id: str,
    collection_id: str,
    source: str,
    time: datetime,
    traceparent: str | None = None,
) -> Event:
    """The event that says `data`; its type follows from the struct."""
    return Event(
        id=id,
        type=TYPE_OF[type(data)],
        source=source,
        time=time,
        batch_id=batch_id,
        collection_id=collection_id,
        data=data,
        traceparent=traceparent,
    )


def _refuse_repeated(file_ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for file_id in file_ids:
        if file_id in seen:
            msg = f"file {file_id} is named twice"
            raise ValueError(msg)
        seen.add(file_id)
