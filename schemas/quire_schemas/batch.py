"""The meaning of the log: `evolve` folds one event into the state of its batch (docs/design.md, "The fold").

The order of the log is the only lock. Processor, notifier and every other reader use this function and nothing else to
know where a batch stands, so all of them agree at each offset. An event that is not accepted returns the very same
object: it is history without effect.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, structs

from quire_schemas.events import (
    SETTLED,
    TERMINAL,
    BatchCancelRequested,
    BatchCode,
    BatchCompleted,
    BatchCreated,
    BatchFailed,
    BatchProgressed,
    BatchReleased,
    BatchRetryRequested,
    BatchStarted,
    CarriedFile,
    Dependency,
    Event,
    FileCode,
    FileFailed,
    FileProcessed,
    FileSpec,
    FileStage,
    Notice,
    Policy,
    Stage,
    Standing,
    Status,
)

FOLD_VERSION = 4
"""Bump it with every change of a state's fields or of their meaning. Whoever reads a state that an older version has stored
upcasts it (`quire_schemas.stored`).
"""
CARRIES_ON_FROM = 1
"""The oldest version whose states can be carried on once they are upcast: raise it to FOLD_VERSION where the log has to be
folded anew, as events mean something else. The notifier does that by itself.
"""


class FileState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a batch; `size` in bytes, `updated_at` the time of the event that changed it last. `suspected` counts the runs
    of this generation that were taken over while the file was in work: their processor died, perhaps of it. `started_at` is when
    it came into work last, `duration_ms` how long it was settled after that, where its run says so.
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
    """Where a batch stands. `started_at` is the first start of this generation.

    `offset` is that of the last accepted record, `start_offset` that of the record which opened the batch last: its
    creation, or the retry after an end. A reader who begins there knows all that matters. (A retry whose sender did not
    know the end is no such place: the batch has moved on since the description that it carries.)
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
        """The artefacts that the accepted outcomes name."""
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
        """The ids of the files that still need work, in the order of the batch."""
        return tuple(file.file_id for file in self.files.values() if not file.settled)

    def most_suspected(self) -> int:
        """How often the worst of the unsettled files is suspected."""
        return max((file.suspected for file in self.files.values() if not file.settled), default=0)


def evolve(state: BatchState | None, event: Event, offset: int) -> BatchState | None:
    """The state after the event at `offset`; the same object where the event is not accepted."""
    if state is not None and offset <= state.offset:
        return state
    if isinstance(event.data, BatchRetryRequested):
        return _retried(state, event, event.data, offset)
    if isinstance(event.data, BatchCreated):
        return _created(event, event.data, offset) if state is None else state
    if state is None:
        return None
    changes = _CHANGES[type(event.data)](state, event.data, event.time)
    return state if changes is None else structs.replace(state, offset=offset, **changes)


def requeued(state: BatchState, file_ids: Iterable[str] | None) -> tuple[str, ...]:
    """The settled files that a retry naming `file_ids` (None: every one) queues again.

    A processed file never is, but under `all_or_nothing` all are.
    """
    if state.policy == "all_or_nothing":
        return tuple(file.file_id for file in state.files.values() if file.settled)
    named = None if file_ids is None else frozenset(file_ids)
    return tuple(
        file.file_id
        for file in state.files.values()
        if file.standing in ("failed", "cancelled") and (named is None or file.file_id in named)
    )


Changes = dict[str, Any] | None


def _created(event: Event, data: BatchCreated, offset: int) -> BatchState:
    return BatchState(
        batch_id=event.batch_id,
        collection_id=data.collection_id,
        request_id=data.request_id,
        policy=data.policy,
        files={spec.file_id: _queued(spec, event.time) for spec in data.files},
        offset=offset,
        start_offset=offset,
        created_at=event.time,
        request_name=data.request_name,
    )


def _retried(state: BatchState | None, event: Event, data: BatchRetryRequested, offset: int) -> BatchState:
    opens = state is None or (state.terminal and _describes(data, state))
    if state is None:
        state = _from_carried(event, data)
    elif data.generation != state.generation or not (state.terminal or data.force):
        return state
    again = {*requeued(state, data.file_ids), *state.unsettled()}
    return BatchState(
        batch_id=state.batch_id,
        collection_id=state.collection_id,
        request_id=state.request_id,
        policy=state.policy,
        files={file.file_id: _queued(file, event.time) if file.file_id in again else file for file in state.files.values()},
        offset=offset,
        start_offset=offset if opens else state.start_offset,
        created_at=state.created_at,
        generation=state.generation + 1,
        attempt=state.attempt,
        request_name=state.request_name,
    )


def _describes(data: BatchRetryRequested, state: BatchState) -> bool:
    standing = {carried.file_id: carried.standing for carried in data.files}
    return data.attempt == state.attempt and standing == {file.file_id: file.standing for file in state.files.values()}


def _from_carried(event: Event, data: BatchRetryRequested) -> BatchState:
    return BatchState(
        batch_id=event.batch_id,
        collection_id=data.collection_id,
        request_id=data.request_id,
        policy=data.policy,
        files={carried.file_id: _uncarried(carried) for carried in data.files},
        offset=-1,
        start_offset=-1,
        created_at=data.created_at,
        generation=data.generation,
        attempt=data.attempt,
        request_name=data.request_name,
    )


def _started(state: BatchState, data: BatchStarted, time: datetime) -> Changes:
    if state.terminal or data.attempt != state.attempt + 1:
        return None
    taken_over = state.status == "processing"
    fruitless = 0 if state.run_settled_a_file else state.fruitless + taken_over
    return {
        "status": "processing",
        "attempt": data.attempt,
        "run_id": data.run_id,
        "worker": data.worker,
        "fruitless": fruitless,
        "run_settled_a_file": False,
        "stage": None,
        "waiting_for": (),
        "started_at": state.started_at or time,
        "last_seen_at": time,
        "files": {
            key: _again(file, time, file.suspected + 1) if file.standing == "processing" else file
            for key, file in state.files.items()
        },
    }


def _progressed(state: BatchState, data: BatchProgressed, time: datetime) -> Changes:
    if not _current(state, data.run_id):
        return None
    positions = {position.file_id: position for position in data.in_flight}
    files = dict(state.files)
    for key, file in state.files.items():
        if file.settled:
            continue
        if (position := positions.get(key)) is not None:
            files[key] = structs.replace(
                file,
                standing="processing",
                stage=position.stage,
                page=position.page,
                pages=position.pages,
                updated_at=time,
                started_at=file.started_at or time,
            )
        elif file.standing == "processing":
            files[key] = _again(file, time, file.suspected)
    return {"stage": data.stage, "waiting_for": data.waiting_for, "last_seen_at": time, "files": files}


def _released(state: BatchState, data: BatchReleased, time: datetime) -> Changes:
    if not _current(state, data.run_id):
        return None
    return {
        **_NO_RUN,
        "status": "queued",
        "fruitless": 0 if state.run_settled_a_file else state.fruitless,
        "last_seen_at": time,
        "files": {key: file if file.settled else _again(file, time, file.suspected) for key, file in state.files.items()},
    }


def _file_processed(state: BatchState, data: FileProcessed, time: datetime) -> Changes:
    if (file := _open_file(state, data.run_id, data.file_id)) is None:
        return None
    processed = structs.replace(
        _queued(file, time),
        standing="processed",
        page_count=data.page_count,
        title=data.title,
        text_key=data.text_key,
        thumbnail_key=data.thumbnail_key,
        truncated=data.truncated,
        pages_read=data.pages_read,
        characters=data.characters,
        notices=data.notices,
        started_at=_began(file, data, time),
        duration_ms=data.duration_ms,
    )
    return _settled(state, processed, time)


def _file_failed(state: BatchState, data: FileFailed, time: datetime) -> Changes:
    if (file := _open_file(state, data.run_id, data.file_id)) is None:
        return None
    failed = _failed_file(file, data.code, data.message, time)
    return _settled(state, structs.replace(failed, started_at=_began(file, data, time), duration_ms=data.duration_ms), time)


def _began(file: FileState, outcome: FileProcessed | FileFailed, time: datetime) -> datetime | None:
    """What its run says of it; a file that is soon done was never told to be in work."""
    return file.started_at if outcome.duration_ms is None else time - timedelta(milliseconds=outcome.duration_ms)


def _completed(state: BatchState, data: BatchCompleted, time: datetime) -> Changes:
    processed = state.count("processed")
    if not _current(state, data.run_id) or not state.all_settled or not processed:
        return None
    return {
        **_NO_RUN,
        "status": "completed" if processed == state.total else "completed_with_errors",
        "ended_at": time,
        "last_seen_at": time,
    }


def _failed(state: BatchState, data: BatchFailed, time: datetime) -> Changes:
    if not _current(state, data.run_id):
        return None
    everything = state.policy == "all_or_nothing"

    def outcome(file: FileState) -> FileState:
        stays = file.standing == "failed" if everything else file.settled
        return file if stays else _failed_file(file, "batch_failed", data.message, time)

    return {
        **_NO_RUN,
        "status": "failed",
        "ended_at": time,
        "last_seen_at": time,
        "error_code": data.code,
        "error_message": data.message,
        "files": {key: outcome(file) for key, file in state.files.items()},
    }


def _cancelled(state: BatchState, data: BatchCancelRequested, time: datetime) -> Changes:
    if state.terminal or data.generation != state.generation:
        return None
    return {
        **_NO_RUN,
        "status": "cancelled",
        "ended_at": time,
        "cancel_reason": data.reason,
        "files": {
            key: file if file.settled else structs.replace(_queued(file, time), standing="cancelled")
            for key, file in state.files.items()
        },
    }


# What every end of a run clears. `worker` stays: it names who worked on the batch last.
_NO_RUN: dict[str, Any] = {"run_id": None, "run_settled_a_file": False, "waiting_for": ()}

_CHANGES: dict[type, Callable[[BatchState, Any, datetime], Changes]] = {
    BatchStarted: _started,
    BatchProgressed: _progressed,
    BatchReleased: _released,
    FileProcessed: _file_processed,
    FileFailed: _file_failed,
    BatchCompleted: _completed,
    BatchFailed: _failed,
    BatchCancelRequested: _cancelled,
}


def _current(state: BatchState, run_id: str) -> bool:
    return state.status == "processing" and state.run_id == run_id


def _open_file(state: BatchState, run_id: str, file_id: str) -> FileState | None:
    file = state.files.get(file_id) if _current(state, run_id) else None
    return None if file is None or file.settled else file


def _settled(state: BatchState, file: FileState, time: datetime) -> dict[str, Any]:
    return {"files": {**state.files, file.file_id: file}, "run_settled_a_file": True, "last_seen_at": time}


def _queued(file: FileSpec | FileState, time: datetime) -> FileState:
    """The file as if nothing had happened to it yet."""
    return FileState(
        file_id=file.file_id,
        filename=file.filename,
        size=file.size,
        sha256=file.sha256,
        object_key=file.object_key,
        path=file.path,
        updated_at=time,
    )


def _again(file: FileState, time: datetime, suspected: int) -> FileState:
    """The file as it waits for another run of the same generation."""
    return structs.replace(_queued(file, time), suspected=suspected)


def _failed_file(file: FileState, code: FileCode, message: str, time: datetime) -> FileState:
    return structs.replace(_queued(file, time), standing="failed", code=code, message=message)


def _uncarried(carried: CarriedFile) -> FileState:
    return FileState(**structs.asdict(carried))
