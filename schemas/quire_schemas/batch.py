"""The meaning of the log: `evolve` folds one event into the state of its batch (docs/design.md, "The fold").

The order of the log is the only lock. Processor, notifier and every other reader use only this function to find the state
of a batch, so all of them agree at each offset. For an event that is not accepted, the function returns the same object:
such an event has no effect.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, assert_never

from msgspec import structs

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
)
from quire_schemas.states import BatchState, FileState, again, carried, described, failed_file, queued


def evolve(state: BatchState | None, event: Event, offset: int) -> BatchState | None:  # noqa: C901, PLR0912 - a line for each event
    """Returns the state after the event at `offset`; the same object if the event is not accepted."""
    if state is None:
        return _opened(event, offset)
    if offset <= state.offset:
        return state
    match event.data:  # the most frequent events first: each case that does not match takes time
        case FileProcessed() as data:
            changes = _file_processed(state, data, event.time)
        case BatchProgressed() as data:
            changes = _progressed(state, data, event.time)
        case FileFailed() as data:
            changes = _file_failed(state, data, event.time)
        case BatchStarted() as data:
            changes = _started(state, data, event.time)
        case BatchCompleted() as data:
            changes = _completed(state, data, event.time)
        case BatchReleased() as data:
            changes = _released(state, data, event.time)
        case BatchFailed() as data:
            changes = _failed(state, data, event.time)
        case BatchCancelRequested() as data:
            changes = _cancelled(state, data, event.time)
        case BatchRetryRequested() as data:
            return _retried(state, event, data, offset)
        case BatchCreated():
            return state
        case unexpected:
            assert_never(unexpected)
    return state if changes is None else structs.replace(state, offset=offset, **changes)


Changes = dict[str, Any] | None


def _opened(event: Event, offset: int) -> BatchState | None:
    """Returns the state of a batch that is not known yet; None for an event that does not describe the batch."""
    match event.data:
        case BatchCreated() as data:
            return _created(event, data, offset)
        case BatchRetryRequested() as data:
            return _retried(None, event, data, offset)
    return None


def requeued(state: BatchState, file_ids: Iterable[str] | None) -> tuple[str, ...]:
    """Returns the ids of the settled files that a retry of `file_ids` (None: of all files) queues again.

    These are failed and cancelled files only, except under `all_or_nothing`: there it is every settled file.
    """
    if state.policy == "all_or_nothing":
        return tuple(file.file_id for file in state.files.values() if file.settled)
    named = None if file_ids is None else frozenset(file_ids)
    return tuple(
        file.file_id
        for file in state.files.values()
        if file.standing in ("failed", "cancelled") and (named is None or file.file_id in named)
    )


def _created(event: Event, data: BatchCreated, offset: int) -> BatchState:
    return BatchState(
        batch_id=event.batch_id,
        collection_id=data.collection_id,
        request_id=data.request_id,
        policy=data.policy,
        files={spec.file_id: queued(spec, event.time) for spec in data.files},
        offset=offset,
        start_offset=offset,
        created_at=event.time,
        request_name=data.request_name,
    )


def _retried(state: BatchState | None, event: Event, data: BatchRetryRequested, offset: int) -> BatchState:
    opens = state is None or (state.terminal and _describes(data, state))
    if state is None:
        state = described(event, data)
    elif data.generation != state.generation or not (state.terminal or data.force):
        return state
    requeues = {*requeued(state, data.file_ids), *state.unsettled()}
    return BatchState(
        batch_id=state.batch_id,
        files={file.file_id: queued(file, event.time) if file.file_id in requeues else file for file in state.files.values()},
        offset=offset,
        start_offset=offset if opens else state.start_offset,
        **(carried(state) | {"generation": state.generation + 1}),
    )


def _describes(data: BatchRetryRequested, state: BatchState) -> bool:
    """Returns whether the sender of the retry knew the present state of the batch. A field that is None counts as equal: it may
    have been left out of a large record.
    """
    known = carried(state)
    standing = {file.file_id: file.standing for file in data.files}
    return all(value in (None, known[name]) for name, value in carried(data).items()) and standing == {
        file.file_id: file.standing for file in state.files.values()
    }


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
            key: again(file, time, file.suspected + 1) if file.standing == "processing" else file
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
            files[key] = again(file, time, file.suspected)
    return {"stage": data.stage, "waiting_for": data.waiting_for, "last_seen_at": time, "files": files}


def _released(state: BatchState, data: BatchReleased, time: datetime) -> Changes:
    if not _current(state, data.run_id):
        return None
    return {
        **_NO_RUN,
        "status": "queued",
        "fruitless": 0 if state.run_settled_a_file else state.fruitless,
        "last_seen_at": time,
        "files": {key: file if file.settled else again(file, time, file.suspected) for key, file in state.files.items()},
    }


def _file_processed(state: BatchState, data: FileProcessed, time: datetime) -> Changes:
    if (file := _open_file(state, data.run_id, data.file_id)) is None:
        return None
    processed = structs.replace(
        queued(file, time),
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
    failed = failed_file(file, data.code, data.message, time)
    return _settled(state, structs.replace(failed, started_at=_began(file, data, time), duration_ms=data.duration_ms), time)


def _began(file: FileState, outcome: FileProcessed | FileFailed, time: datetime) -> datetime | None:
    """Returns when work on the file began: the time of its outcome less the duration that its run tells, because no event
    tells that a file is in work if it is done soon. Without a duration, returns `started_at`.
    """
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
        return file if stays else failed_file(file, "batch_failed", data.message, time)

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
            key: file if file.settled else structs.replace(queued(file, time), standing="cancelled")
            for key, file in state.files.items()
        },
    }


# Fields that every end of a run clears. `worker` stays: it names the processor that worked on the batch last.
_NO_RUN: dict[str, Any] = {"run_id": None, "run_settled_a_file": False, "waiting_for": ()}


def _current(state: BatchState, run_id: str) -> bool:
    return state.status == "processing" and state.run_id == run_id


def _open_file(state: BatchState, run_id: str, file_id: str) -> FileState | None:
    file = state.files.get(file_id) if _current(state, run_id) else None
    return None if file is None or file.settled else file


def _settled(state: BatchState, file: FileState, time: datetime) -> dict[str, Any]:
    return {"files": {**state.files, file.file_id: file}, "run_settled_a_file": True, "last_seen_at": time}
