"""Events of the log: one frozen struct per event type (docs/design.md, "Events").

An event is history, not a command that must succeed. Only `quire_schemas.batch.evolve` decides whether an event has an effect
on its batch, and which.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from quire_schemas.fields import (
    CollectionId,
    Count,
    Filename,
    Id,
    Key,
    Notices,
    Number,
    Reason,
    RelativePath,
    RequestName,
    Sha256,
    Time,
    Title,
)

Policy = Literal["isolate", "all_or_nothing"]
ActiveStatus = Literal["queued", "processing"]
TerminalStatus = Literal["completed", "completed_with_errors", "failed", "cancelled"]
Status = Literal[ActiveStatus, TerminalStatus]
OpenStanding = Literal["queued", "processing"]
SettledStanding = Literal["processed", "failed", "cancelled"]
Standing = Literal[OpenStanding, SettledStanding]
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
BatchCode = Literal["all_files_failed", "file_failed", "attempts_exhausted"]

POLICIES: tuple[Policy, ...] = get_args(Policy)
STATUSES: tuple[Status, ...] = get_args(Status)
STANDINGS: tuple[Standing, ...] = get_args(Standing)
TERMINAL: frozenset[Status] = frozenset(get_args(TerminalStatus))
SETTLED: frozenset[Standing] = frozenset(get_args(SettledStanding))

MAX_BATCH_SIZE = 100


class FileSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored original; `size` is in bytes. `path` is its path in the folder that was uploaded, with its name."""

    file_id: Id
    filename: Filename
    size: Count
    sha256: Sha256
    object_key: Key
    path: RelativePath | None = None


class BatchCreated(Struct, frozen=True, kw_only=True):
    """Up to 100 originals are in object storage and wait for a processor. All batches of a request have the same
    `request_name`.
    """

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
    """A file's stage in the pipeline. While its text is extracted, `page` of `pages` tells how far it is."""

    file_id: Id
    stage: FileStage
    page: Number | None = None
    pages: Number | None = None


class BatchProgressed(Struct, frozen=True, kw_only=True):
    """A sign of life of a run. `waiting_for` names the services that the run cannot reach at the moment."""

    run_id: Id
    stage: Stage
    in_flight: Annotated[tuple[InFlight, ...], Meta(max_length=MAX_BATCH_SIZE)] = ()
    waiting_for: tuple[Dependency, ...] = ()


class BatchReleased(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run ends on purpose and leaves the unsettled files to the next run."""

    run_id: Id


class FileProcessed(Struct, frozen=True, kw_only=True):
    """Rows and artefacts of the file are durable. The keys are valid once this event is accepted.

    `characters` counts the text of the `pages_read` pages; `notices` tell what of the file is not in that text.
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
    """A user cancels the given generation of the batch; it ends at the offset of this event."""

    generation: Number
    by: Annotated[str, Meta(max_length=255)] | None = None
    reason: Reason | None = None


class CarriedFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file with its standing, as a retry carries it for readers that no longer know the batch."""

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
    """A user reopens the batch: the files `file_ids` are queued again; null queues all failed and cancelled files.

    `generation` is the generation that is retried. `force` reopens a batch that has not ended, too. The other fields
    describe the batch as the sender knew it; only a reader that does not know the batch uses them.
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
    """Returns the event with `data`; its type follows from the struct."""
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
