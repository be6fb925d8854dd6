"""What must hold of every history, and proof that these properties can fail: each broken fold is caught."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec import structs
from tests.schemas.history import History

from quire_schemas import batch
from quire_schemas.batch import evolve
from quire_schemas.events import (
    TYPES,
    BatchCancelRequested,
    BatchCompleted,
    BatchFailed,
    BatchProgressed,
    BatchReleased,
    BatchRetryRequested,
    BatchStarted,
    Event,
    FileProcessed,
)
from quire_schemas.states import BatchState, queued

ORDINARY = settings(max_examples=300, stateful_step_count=40)
ONE_FAILURE = settings(
    ORDINARY, max_examples=3000, phases=[Phase.generate], database=None, derandomize=True, report_multiple_bugs=False
)
SOME = settings(ORDINARY, max_examples=50, database=None)

History.TestCase.settings = ORDINARY
TestEveryHistory = History.TestCase


def test_an_event_of_each_type_is_accepted_in_some_history():
    """Else nothing was tried with it: it belongs into `history.py`."""
    accepted: set[str] = set()

    class Witness(History):
        def teardown(self) -> None:
            accepted.update(event.type for event in self.log.events if event.id in self.log.accepted)

    for _ in range(20):  # mostly the first time
        run_state_machine_as_test(Witness, settings=SOME)
        if accepted == TYPES.keys():
            break
    assert accepted == TYPES.keys()


State = BatchState | None


def anyone_may_speak_for_a_running_batch(state: State, event: Event, offset: int) -> State:
    with patched(_current=lambda known, _: known.status == "processing"):
        return evolve(state, event, offset)


def a_settled_file_is_settled_again(state: State, event: Event, offset: int) -> State:
    def open_file(known: BatchState, run_id: str, file_id: str) -> object:
        return known.files.get(file_id) if known.run_id == run_id else None

    with patched(_open_file=open_file):
        return evolve(state, event, offset)


def offsets_do_not_count(state: State, event: Event, offset: int) -> State:
    forgetful = None if state is None else structs.replace(state, offset=-1)
    after = evolve(forgetful, event, offset)
    return state if after is forgetful else after


def a_copy_is_returned_instead_of_the_same_object(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    return structs.replace(state) if after is state and state is not None else after


def any_attempt_may_start(state: State, event: Event, offset: int) -> State:
    if state is not None and isinstance(event.data, BatchStarted):
        event = with_data(event, attempt=state.attempt + 1)
    return evolve(state, event, offset)


def a_cancel_is_of_whatever_generation_there_is(state: State, event: Event, offset: int) -> State:
    if state is not None and isinstance(event.data, BatchCancelRequested):
        event = with_data(event, generation=state.generation)
    return evolve(state, event, offset)


def a_retry_is_of_whatever_generation_there_is(state: State, event: Event, offset: int) -> State:
    if state is not None and isinstance(event.data, BatchRetryRequested):
        event = with_data(event, generation=state.generation)
    return evolve(state, event, offset)


def a_retry_needs_no_end(state: State, event: Event, offset: int) -> State:
    if isinstance(event.data, BatchRetryRequested):
        event = with_data(event, force=True)
    return evolve(state, event, offset)


def a_retry_believes_what_it_carries(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    return evolve(None, event, offset) if after is not state and isinstance(event.data, BatchRetryRequested) else after


def every_retry_begins_the_batch_anew(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    if after is state or after is None or not isinstance(event.data, BatchRetryRequested):
        return after
    return structs.replace(after, start_offset=offset)


def a_retry_keeps_the_reason_of_the_end(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    return spoilt(state, event, after, BatchRetryRequested, error_message=None if state is None else state.error_message)


def the_last_end_wins(state: State, event: Event, offset: int) -> State:
    if state is not None and state.terminal and isinstance(event.data, BatchCompleted | BatchFailed):
        return evolve(structs.replace(state, status="processing", run_id=event.data.run_id), event, offset)
    return evolve(state, event, offset)


def a_batch_is_completed_before_its_last_file(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    current = state is not None and isinstance(event.data, BatchCompleted) and event.data.run_id == state.run_id
    return structs.replace(state, status="completed", run_id=None, ended_at=event.time, offset=offset) if current else after


def a_cancel_forgets_its_files(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    return spoilt(state, event, after, BatchCancelRequested, files=None if state is None else state.files)


def a_cancel_leaves_the_run_alone(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    return spoilt(state, event, after, BatchCancelRequested, run_id=None if state is None else state.run_id)


def a_release_ends_the_attempt_too(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    return spoilt(state, event, after, BatchReleased, attempt=0)


def a_failed_batch_keeps_what_was_processed_under_any_policy(state: State, event: Event, offset: int) -> State:
    if state is None or not isinstance(event.data, BatchFailed):
        return evolve(state, event, offset)
    lenient = structs.replace(state, policy="isolate")
    after = evolve(lenient, event, offset)
    return state if after is lenient or after is None else structs.replace(after, policy=state.policy)


def a_heartbeat_unsettles(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    if after is None or after is state or not isinstance(event.data, BatchProgressed):
        return after
    return structs.replace(after, files={key: queued(file, event.time) for key, file in after.files.items()})


def files_are_changed_in_their_place(state: State, event: Event, offset: int) -> State:
    after = evolve(state, event, offset)
    if state is not None and after is not None and after is not state and isinstance(event.data, FileProcessed):
        state.files.update(after.files)
    return after


BROKEN = [
    anyone_may_speak_for_a_running_batch,
    a_settled_file_is_settled_again,
    offsets_do_not_count,
    a_copy_is_returned_instead_of_the_same_object,
    any_attempt_may_start,
    a_cancel_is_of_whatever_generation_there_is,
    a_retry_is_of_whatever_generation_there_is,
    a_retry_needs_no_end,
    a_retry_believes_what_it_carries,
    every_retry_begins_the_batch_anew,
    a_retry_keeps_the_reason_of_the_end,
    the_last_end_wins,
    a_batch_is_completed_before_its_last_file,
    a_cancel_forgets_its_files,
    a_cancel_leaves_the_run_alone,
    a_release_ends_the_attempt_too,
    a_failed_batch_keeps_what_was_processed_under_any_policy,
    a_heartbeat_unsettles,
    files_are_changed_in_their_place,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_the_properties_catch_a_broken_fold(broken: Callable[[State, Event, int], State]):
    class Broken(History):
        evolve = staticmethod(broken)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=ONE_FAILURE)


def with_data(event: Event, **fields: Any) -> Event:
    return structs.replace(event, data=structs.replace(event.data, **fields))


def spoilt(state: State, event: Event, after: State, of: type, **fields: Any) -> State:
    """The state after an accepted event of the type, with these fields instead."""
    return structs.replace(after, **fields) if after is not None and after is not state and isinstance(event.data, of) else after


@contextmanager
def patched(**names: object) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setattr(batch, name, value)
        yield
