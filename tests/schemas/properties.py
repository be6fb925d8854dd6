"""What must hold of the fold at every record of a log about one batch.

`accepts` is the table of docs/design.md, "The fold", written once more. `Evolve` is what is tested, and can be a broken one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from msgspec import structs
from tests.schemas.story import at

from quire_schemas.batch import BatchState, FileState
from quire_schemas.cloudevents import decode, encode
from quire_schemas.events import (
    TERMINAL,
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

Evolve = Callable[[BatchState | None, Event, int], BatchState | None]

SAW_THE_END = "one who saw the end"  # `by` of a retry whose description is that of the ended batch


def accepts(state: BatchState | None, event: Event) -> bool:  # noqa: PLR0911 - a line for each row of the table
    """The column *is accepted when* of docs/design.md, "The fold"."""
    data = event.data
    if state is None:
        return isinstance(data, BatchCreated | BatchRetryRequested)
    ended = state.status in TERMINAL
    match data:
        case BatchCreated():
            return False
        case BatchStarted():
            return not ended and data.attempt == state.attempt + 1
        case BatchCancelRequested():
            return not ended and data.generation == state.generation
        case BatchRetryRequested():
            return data.generation == state.generation and (ended or data.force)
    if state.status != "processing" or data.run_id != state.run_id:
        return False
    standing = {file.file_id: file.standing for file in state.files.values()}
    match data:
        case FileProcessed() | FileFailed():
            return standing.get(data.file_id) in ("queued", "processing")
        case BatchCompleted():
            return "processed" in standing.values() and not {"queued", "processing"} & set(standing.values())
    return True


@dataclass
class Log:
    """The records so far and what they mean; every one that is appended is checked."""

    evolve: Evolve
    events: list[Event] = field(default_factory=list)
    states: list[BatchState] = field(default_factory=list)  # each one there was, the last is the current one
    accepted: set[str] = field(default_factory=set)

    @property
    def state(self) -> BatchState | None:
        return self.states[-1] if self.states else None

    def append(self, event: Event) -> None:
        before, offset = self.state, len(self.events)
        event = structs.replace(event, time=at(offset))
        assert decode(*encode(event)) == event
        self.events.append(event)
        frozen = msgspec.json.encode(before)
        after = self.evolve(before, event, offset)
        assert msgspec.json.encode(before) == frozen, "a state was changed in its place"
        if not accepts(before, event):
            assert after is before, "what is not accepted changes nothing"
            return
        assert after is not None
        self.states.append(after)
        check_shape(after)
        if before is not None:
            check_step(before, event, after)
        self._check_once(event)
        self._check_reading_again(after, offset)

    def _check_once(self, event: Event) -> None:
        assert event.id not in self.accepted or isinstance(event.data, BatchProgressed), "what was accepted is not accepted again"
        self.accepted.add(event.id)

    def _check_reading_again(self, state: BatchState, offset: int) -> None:
        assert state.offset == offset
        for earlier in range(offset + 1):
            assert self._fold(state, earlier) is state, "reading again after a seek changes nothing"
        assert self._fold(None, state.start_offset) == state, "who begins at the start of the batch knows everything"
        again = self.evolve(state, self.events[offset], offset + 1)
        assert again is state or _at_one_offset(again) == _at_one_offset(state), "sent twice is sent once"

    def check_everything_twice(self) -> None:
        """A log in which each record was sent twice means what it means with each of them once."""
        state: BatchState | None = None
        for offset, event in enumerate(event for event in self.events for _ in range(2)):
            state = self.evolve(state, event, offset)
        assert _at_one_offset(state) == _at_one_offset(self.state)

    def _fold(self, state: BatchState | None, offset: int) -> BatchState | None:
        for place in range(offset, len(self.events)):
            state = self.evolve(state, self.events[place], place)
        return state


def check_shape(state: BatchState) -> None:
    processed, failed, cancelled = (state.count(standing) for standing in ("processed", "failed", "cancelled"))
    assert not state.terminal or processed + failed + cancelled == state.total, "exact closure"
    assert state.status != "completed" or processed == state.total
    assert state.status != "completed_with_errors" or 0 < processed < state.total
    assert (state.run_id is not None) == (state.status == "processing")
    assert (state.ended_at is not None) == state.terminal
    assert (state.error_code is not None) == (state.error_message is not None) == (state.status == "failed")
    assert msgspec.json.decode(msgspec.json.encode(state), type=BatchState) == state
    for file in state.files.values():
        assert (file.code is not None) == (file.standing == "failed")
        assert (file.text_key is not None) == (file.standing == "processed")
        assert (file.stage is not None) == (file.standing == "processing")


def check_step(before: BatchState, event: Event, after: BatchState) -> None:
    retried, started = isinstance(event.data, BatchRetryRequested), isinstance(event.data, BatchStarted)
    assert retried or not before.terminal, "the first end wins"
    assert after.generation == before.generation + retried
    assert after.attempt == before.attempt + started
    assert retried or started or after.run_id in (before.run_id, None)
    assert _description(after) == _description(before)
    assert after.start_offset in {before.start_offset, after.offset if retried and before.terminal else before.start_offset}
    if isinstance(event.data, BatchRetryRequested) and event.data.by == SAW_THE_END:
        assert after.start_offset == after.offset
    for old, new in zip(before.files.values(), after.files.values(), strict=True):
        check_file(old, event, new, whole=before.policy == "all_or_nothing")


def check_file(old: FileState, event: Event, new: FileState, *, whole: bool) -> None:
    """The column *then* of docs/design.md, "The fold", for one file; `whole`: the policy is all_or_nothing."""
    match event.data:
        case BatchRetryRequested(file_ids=named):
            again = whole or (old.standing != "processed" and (not old.settled or named is None or old.file_id in named))
            assert new.standing == "queued" if again else new == old
        case BatchFailed() if whole:
            assert new == old if old.standing == "failed" else (new.standing, new.code) == ("failed", "batch_failed")
        case BatchFailed():
            assert new == old if old.settled else (new.standing, new.code) == ("failed", "batch_failed")
        case BatchCancelRequested():
            assert new == old if old.settled else new.standing == "cancelled"
        case FileProcessed(file_id=file_id) if old.file_id == file_id:
            assert new.standing == "processed"
        case FileFailed(file_id=file_id) if old.file_id == file_id:
            assert new.standing == "failed"
        case BatchStarted() | BatchReleased():
            assert new == old if old.settled else new.standing == "queued"
        case BatchProgressed():
            assert new == old if old.settled else not new.settled
        case _:
            assert new == old


def _description(state: BatchState) -> object:
    described = [(file.file_id, file.filename, file.size, file.sha256, file.object_key) for file in state.files.values()]
    return state.batch_id, state.collection_id, state.request_id, state.policy, state.created_at, described


def _at_one_offset(state: BatchState | None) -> BatchState | None:
    return None if state is None else structs.replace(state, offset=0, start_offset=0)
