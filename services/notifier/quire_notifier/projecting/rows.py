"""Converts a batch's state to rows of `batch` and `file_metadata`. Pure.

Each field is a column. The SQL statements take their lists of columns from here (projecting/row_sql.py).
"""

from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET

from quire_schemas.events import BatchCode, FileCode, Policy, Stage, Standing, Status
from quire_schemas.states import BatchState, FileState
from quire_schemas.views import FilePosition

UPLOADED = 100
"""The upload progress of every file, in percent: the original is in object storage before its batch is created (docs/design.md,
"Record in the notifier").
"""


Uuid = Annotated[str, "uuid"]
Bigint = Annotated[int, "bigint"]
Json = Annotated[str, "jsonb"]
"""Postgres types that cannot be derived from Python's types (projecting/row_sql.py)."""


class BatchRow(NamedTuple):
    """The columns of `batch` except `state` and `heard_at`."""

    batch_id: Uuid
    collection_id: str
    request_id: Uuid
    status: Status
    policy: Policy
    generation: int
    attempt: int
    stage: Stage | None
    total: int
    processed: int
    failed: int
    cancelled: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    last_seen_at: datetime | None
    worker: str | None
    error_code: BatchCode | None
    error_message: str | None


class FileRow(NamedTuple):
    """The columns of `file_metadata` except `searchable`."""

    id: Uuid
    collection_id: str
    original_filename: str
    file_size: Bigint
    processing_status: Standing
    upload_progress: int
    batch_id: Uuid
    created_at: datetime
    updated_at: datetime
    error_code: FileCode | None
    error_message: str | None
    page_count: int | None
    title: str | None
    sha256: str
    object_key: str
    text_key: str | None
    thumbnail_key: str | None
    truncated: bool
    pages_read: int | None
    characters: Bigint | None
    notices: Json
    path: str | None
    position: int
    started_at: datetime | None
    duration_ms: Bigint | None


def batch_row(state: BatchState) -> BatchRow:
    standings = [file.standing for file in state.files.values()]
    return BatchRow(
        batch_id=state.batch_id,
        collection_id=state.collection_id,
        request_id=state.request_id,
        status=state.status,
        policy=state.policy,
        generation=state.generation,
        attempt=state.attempt,
        stage=state.stage,
        total=len(standings),
        processed=standings.count("processed"),
        failed=standings.count("failed"),
        cancelled=standings.count("cancelled"),
        created_at=state.created_at,
        started_at=state.started_at,
        ended_at=state.ended_at,
        last_seen_at=state.last_seen_at,
        worker=state.worker,
        error_code=state.error_code,
        error_message=state.error_message,
    )


def file_row(state: BatchState, file: FileState, position: int) -> FileRow:
    return FileRow(
        id=file.file_id,
        collection_id=state.collection_id,
        original_filename=file.filename,
        file_size=file.size,
        processing_status=file.standing,
        upload_progress=UPLOADED,
        batch_id=state.batch_id,
        created_at=state.created_at,
        updated_at=file.updated_at,
        error_code=file.code,
        error_message=file.message,
        page_count=file.page_count,
        title=file.title,
        sha256=file.sha256,
        object_key=file.object_key,
        text_key=file.text_key,
        thumbnail_key=file.thumbnail_key,
        truncated=file.truncated,
        pages_read=file.pages_read,
        characters=file.characters,
        notices=msgspec.json.encode(file.notices).decode(),
        path=file.path,
        position=position,
        started_at=file.started_at,
        duration_ms=file.duration_ms,
    )


def changed_files(before: BatchState | None, after: BatchState) -> list[FileRow]:
    """Returns the rows of the files whose FileState is not the same object as before."""
    known = before.files if before is not None else {}
    files = enumerate(after.files.values())
    return [file_row(after, file, position) for position, file in files if known.get(file.file_id) is not file]


def positions(state: BatchState) -> list[FilePosition]:
    """Returns the positions of the files in flight, in the order of the batch."""
    return [
        FilePosition(
            file_id=file.file_id,
            stage=file.stage,
            page=file.page,
            pages=file.pages,
            filename=file.filename,
            started_at=file.started_at or UNSET,
        )
        for file in state.files.values()
        if file.stage is not None
    ]
