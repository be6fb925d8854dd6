"""Builds the feed messages of an event from its batch before and after it (docs/design.md, "Record in the notifier"). Pure.

Each file that has just become settled, or has changed from one settled standing to another, gets one FILES_PROCESSED message.
These messages come before the message about the end of the batch.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, TypedDict, assert_never, cast

from msgspec import UNSET

from quire_notifier.projecting.rows import positions
from quire_schemas.events import (
    BatchCancelRequested,
    BatchCompleted,
    BatchCreated,
    BatchFailed,
    BatchProgressed,
    BatchReleased,
    BatchRetryRequested,
    BatchStarted,
    Event,
    FileFailed,
    FileProcessed,
    Stage,
)
from quire_schemas.messages import (
    AnyFeedMessage,
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchCreatedMessage,
    BatchFailedMessage,
    BatchProgressMessage,
    BatchRetryMessage,
    BatchStartedMessage,
    FileMessage,
)
from quire_schemas.states import BatchState, FileState
from quire_schemas.views import CreatedFile

UNNUMBERED = 0
"""The `seq` of a message that has no place in the feed yet."""


class _Head(TypedDict):
    collection_id: str
    seq: int
    batch_id: str
    at: datetime


class _Counts(TypedDict):
    processed: int
    failed: int
    cancelled: int
    total: int


def feed_messages(before: BatchState | None, after: BatchState | None, event: Event) -> list[AnyFeedMessage]:
    """Returns the messages, in order and not numbered yet, of an event that changed the batch from `before` to `after`. An
    event that was not accepted has no messages.
    """
    if after is None or after is before:
        return []
    messages: list[AnyFeedMessage] = [_file(file, _head(after, event)) for file in _newly_settled(before, after)]
    if (about_batch := _about_batch(after, event)) is not None:
        messages.append(about_batch)
    return messages


def _about_batch(after: BatchState, event: Event) -> AnyFeedMessage | None:  # noqa: PLR0911 - a line for each event
    """Returns the message about the batch itself. The outcome of a file has none: it has only the message about the file."""
    match event.data:
        case FileProcessed() | FileFailed():
            return None
        case BatchProgressed() as data:
            return _progress(after, event, data.stage)
        case BatchStarted():
            return BatchStartedMessage(**_head(after, event), attempt=after.attempt, total=after.total)
        case BatchCreated():
            return _created(after, event)
        case BatchCompleted():
            return _completed(after, event)
        case BatchReleased():
            return _progress(after, event, "released")
        case BatchFailed() as data:
            return BatchFailedMessage(**_head(after, event), **_counts(after), code=data.code, message=data.message)
        case BatchCancelRequested():
            return BatchCancelledMessage(**_head(after, event), **_counts(after), reason=after.cancel_reason)
        case BatchRetryRequested():
            return BatchRetryMessage(**_head(after, event), file_ids=list(after.unsettled()), generation=after.generation)
        case unexpected:
            assert_never(unexpected)


def _newly_settled(before: BatchState | None, after: BatchState) -> Iterator[FileState]:
    known = before.files if before is not None else {}
    for file_id, file in after.files.items():
        if not file.settled:
            continue
        earlier = known.get(file_id)
        if earlier is not file and (earlier is None or earlier.standing != file.standing):
            yield file


def _file(file: FileState, head: _Head) -> FileMessage:
    processed = file.standing == "processed"
    return FileMessage(
        **head,
        file_id=file.file_id,
        filename=file.filename,
        status=file.standing,
        page_count=UNSET if file.page_count is None else file.page_count,
        truncated=file.truncated if processed else UNSET,
        pages_read=UNSET if file.pages_read is None else file.pages_read,
        characters=UNSET if file.characters is None else file.characters,
        notices=file.notices if processed else UNSET,
        duration_ms=UNSET if file.duration_ms is None else file.duration_ms,
        error_code=UNSET if file.code is None else file.code,
        error_message=UNSET if file.message is None else file.message,
    )


def _created(after: BatchState, event: Event) -> BatchCreatedMessage:
    files = [CreatedFile(file_id=file.file_id, filename=file.filename, size=file.size) for file in after.files.values()]
    return BatchCreatedMessage(
        **_head(after, event),
        files=files,
        request_id=after.request_id,
        request_name=UNSET if after.request_name is None else after.request_name,
    )


def _progress(after: BatchState, event: Event, stage: Stage | Literal["released"]) -> BatchProgressMessage:
    return BatchProgressMessage(
        **_head(after, event),
        stage=stage,
        processed=after.count("processed"),
        failed=after.count("failed"),
        total=after.total,
        in_flight=positions(after),
        waiting_for=list(after.waiting_for) if after.waiting_for else UNSET,
    )


def _completed(after: BatchState, event: Event) -> BatchCompletedMessage:
    started = after.started_at or event.time
    return BatchCompletedMessage(
        **_head(after, event),
        **_counts(after),
        status=cast("Literal['completed', 'completed_with_errors']", after.status),
        duration_ms=max(0, round((event.time - started).total_seconds() * 1000)),
    )


def _head(after: BatchState, event: Event) -> _Head:
    return {"collection_id": after.collection_id, "seq": UNNUMBERED, "batch_id": after.batch_id, "at": event.time}


def _counts(after: BatchState) -> _Counts:
    return {
        "processed": after.count("processed"),
        "failed": after.count("failed"),
        "cancelled": after.count("cancelled"),
        "total": after.total,
    }
