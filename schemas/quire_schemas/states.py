"""States of batches and files: what `quire_schemas.batch.evolve` folds the log into, and what services store."""

from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from quire_schemas.events import (
    SETTLED,
    TERMINAL,
    BatchCode,
    BatchRetryRequested,
    Dependency,
    Event,
    FileCode,
    FileSpec,
    FileStage,
    Policy,
    Stage,
    Standing,
    Status,
)
from quire_schemas.fields import Notice

FOLD_VERSION = 4
"""Version of the fold. Raise it with every change of a state's fields or of their meaning. A reader upcasts a state that an
older version has stored (`quire_schemas.stored`).
"""
CARRIES_ON_FROM = 1
"""Oldest version of the fold whose stored states can still be used after upcasting. Raise it to FOLD_VERSION when events mean
something else, so that the log has to be folded anew; the notifier then does so by itself.
"""


class FileState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a batch. `size` is in bytes; `updated_at` is the time of the event that changed the file last.

    `suspected` counts the runs of this generation that were taken over while the file was in work: their processor died,
    perhaps because of the file. `started_at` is the time when work on the file began last; `duration_ms` is the time from then
    until it was settled, if its run tells it.
    """

    file_id: str
    filename: str
    size: int
    sha256: str
    object_key: str
    updated_at: datetime
    standing: Standing = "queued"
    stage: FileStage | None = None
    page: int | None = None
    pages: int | None = None
    code: FileCode | None = None
    message: str | None = None
    page_count: int | None = None
    title: str | None = None
    text_key: str | None = None
    thumbnail_key: str | None = None
    truncated: bool = False
    pages_read: int | None = None
    characters: int | None = None
    notices: tuple[Notice, ...] = ()
    suspected: int = 0
    path: str | None = None
    started_at: datetime | None = None
    duration_ms: int | None = None

    @property
    def settled(self) -> bool:
        return self.standing in SETTLED


class BatchState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """State of a batch. `started_at` is the first start of this generation.

    `offset` is the offset of the last accepted record. `start_offset` is the offset of the record that opened the batch
    last: its creation, or a retry after its end. A reader that begins there learns all that matters. (A retry whose sender
    did not know of the end does not count: the batch has changed since the description that such a retry carries.)
    `fruitless` counts consecutive runs of this generation that were taken over without having settled a file.
    """

    batch_id: str
    collection_id: str
    request_id: str
    policy: Policy
    files: dict[str, FileState]
    offset: int
    start_offset: int
    created_at: datetime
    status: Status = "queued"
    generation: int = 0
    attempt: int = 0
    run_id: str | None = None
    worker: str | None = None
    fruitless: int = 0
    run_settled_a_file: bool = False
    stage: Stage | None = None
    waiting_for: tuple[Dependency, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_seen_at: datetime | None = None
    error_code: BatchCode | None = None
    error_message: str | None = None
    cancel_reason: str | None = None
    request_name: str | None = None

    def artefact_keys(self) -> frozenset[str]:
        """Returns the object keys of the artefacts that the accepted outcomes name."""
        return frozenset(key for file in self.files.values() for key in (file.text_key, file.thumbnail_key) if key is not None)

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def total(self) -> int:
        return len(self.files)

    @property
    def all_settled(self) -> bool:
        return all(file.settled for file in self.files.values())

    def count(self, standing: Standing) -> int:
        return sum(file.standing == standing for file in self.files.values())

    def unsettled(self) -> tuple[str, ...]:
        """Returns the ids of the files that still need work, in the order of the batch."""
        return tuple(file.file_id for file in self.files.values() if not file.settled)

    def most_suspected(self) -> int:
        """Returns the highest `suspected` count of the unsettled files; 0 if there are none."""
        return max((file.suspected for file in self.files.values() if not file.settled), default=0)


def queued(file: FileSpec | FileState, time: datetime) -> FileState:
    """Returns the file as it is queued, without any outcome."""
    return FileState(
        file_id=file.file_id,
        filename=file.filename,
        size=file.size,
        sha256=file.sha256,
        object_key=file.object_key,
        path=file.path,
        updated_at=time,
    )


def again(file: FileState, time: datetime, suspected: int) -> FileState:
    """Returns the file queued for another run of the same generation, with its `suspected` count."""
    return structs.replace(queued(file, time), suspected=suspected)


def failed_file(file: FileState, code: FileCode, message: str, time: datetime) -> FileState:
    return structs.replace(queued(file, time), standing="failed", code=code, message=message)


_CARRIED = (set(BatchRetryRequested.__struct_fields__) & set(BatchState.__struct_fields__)) - {"files"}


def carried(batch: BatchState | BatchRetryRequested) -> dict[str, Any]:
    """Returns the fields of a batch, without its files, that a retry carries and that stay the same after it."""
    return {name: getattr(batch, name) for name in _CARRIED}


def described(event: Event, data: BatchRetryRequested) -> BatchState:
    """Returns the batch as the description in a retry has it; its offsets are -1."""
    files = {file.file_id: FileState(**structs.asdict(file)) for file in data.files}
    return BatchState(batch_id=event.batch_id, files=files, offset=-1, start_offset=-1, **carried(data))
