"""One group per row of the table of docs/design.md, "The fold": what is accepted and what it does, and what is not accepted."""

import pytest
from tests.schemas.story import (
    NAMES,
    START,
    at,
    batch_failed,
    cancel,
    completed,
    created,
    failed,
    given,
    processed,
    progressed,
    released,
    retry,
    started,
    uid,
)

from quire_schemas.events import TERMINAL, TYPES, Event, Standing

QUEUED = (created(),)
RUNNING = (created(), started())
COMPLETED = (*RUNNING, processed("a"), processed("b"), completed())
WITH_ERRORS = (*RUNNING, processed("a"), failed("b"), completed())
FAILED = (*RUNNING, processed("a"), batch_failed())
CANCELLED = (*RUNNING, processed("a"), cancel())
ENDED = {"completed": COMPLETED, "completed_with_errors": WITH_ERRORS, "failed": FAILED, "cancelled": CANCELLED}
OF_A_RUN = [progressed(), processed("b"), failed("b"), released(), completed(), batch_failed()]


def _type(event: Event) -> str:
    return event.type


def standings(*past: Event) -> dict[str, Standing]:
    """How the files stand after the past."""
    state = given(*past).state
    assert state is not None
    return {NAMES[file.file_id]: file.standing for file in state.files.values()}


# BatchCreated


def test_an_unknown_batch_is_created_with_every_file_queued():
    state = (
        given()
        .when(created())
        .then({"a": "queued", "b": "queued"}, status="queued", generation=0, attempt=0, run_id=None, offset=0, start_offset=0)
    )
    assert state.created_at == START
    assert state.unsettled() == (uid("a"), uid("b"))


@pytest.mark.parametrize("past", [QUEUED, RUNNING, *ENDED.values()])
def test_a_known_batch_is_not_created_again(past: tuple[Event, ...]):
    given(*past).when(created("abc")).then_nothing_happens()


# BatchStarted


def test_the_first_start_makes_the_run_the_current_one():
    given(*QUEUED).when(started("r1", attempt=1)).then(
        {"a": "queued", "b": "queued"}, status="processing", run_id=uid("r1"), attempt=1, started_at=at(1), worker="worker of r1"
    )


def test_a_newer_start_takes_a_running_batch_over_and_queues_what_was_not_settled():
    past = (*RUNNING, processed("a"), progressed(b=("extracting", 2, 9)))
    state = (
        given(*past).when(started("r2", attempt=2)).then({"a": "processed", "b": "queued"}, run_id=uid("r2"), started_at=at(1))
    )
    assert state.files[uid("b")].page is None


@pytest.mark.parametrize("attempt", [1, 3])
def test_a_start_with_another_attempt_than_the_next_is_too_late_or_too_early(attempt: int):
    given(*RUNNING).when(started("r2", attempt)).then_nothing_happens()


def test_runs_taken_over_without_a_settled_file_are_counted_as_fruitless():
    given(*RUNNING).when(started("r2", 2)).then(fruitless=1)
    given(*RUNNING, started("r2", 2)).when(started("r3", 3)).then(fruitless=2)


def test_a_settled_file_ends_the_count_of_fruitless_runs():
    given(*RUNNING, started("r2", 2), processed("a", "r2")).when(started("r3", 3)).then(fruitless=0)
    given(*RUNNING, started("r2", 2), processed("a", "r2"), released("r2")).when(started("r3", 3)).then(fruitless=0)


def test_a_released_run_is_not_fruitless():
    given(*RUNNING, released()).when(started("r2", 2)).then(fruitless=0)
    given(*RUNNING, started("r2", 2), released("r2")).when(started("r3", 3)).then(fruitless=1)


def suspicions(*past: Event) -> dict[str, int]:
    state = given(*past).state
    assert state is not None
    return {NAMES[file.file_id]: file.suspected for file in state.files.values()}


def test_a_file_that_was_in_work_when_its_run_was_taken_over_is_suspected_each_time():
    past = (*RUNNING, progressed(b=("extracting", 1, 9)), started("r2", 2))
    assert suspicions(*past) == {"a": 0, "b": 1}
    assert suspicions(*past, progressed("r2", b=("extracting", 2, 9)), started("r3", 3)) == {"a": 0, "b": 2}


def test_a_file_that_was_put_back_or_handed_over_is_not_suspected_but_what_was_stays():
    working = (*RUNNING, progressed(b=("extracting", 1, 9)))
    assert suspicions(*working, released(), started("r2", 2)) == {"a": 0, "b": 0}
    assert suspicions(*working, progressed(), started("r2", 2)) == {"a": 0, "b": 0}
    suspected = (*working, started("r2", 2), progressed("r2", b=("extracting", 1, 9)))
    assert suspicions(*suspected, progressed("r2"), released("r2"), started("r3", 3)) == {"a": 0, "b": 1}


def test_a_retry_suspects_nobody():
    suspected = (*RUNNING, progressed(b=("extracting", 1, 9)), started("r2", 2), cancel())
    assert suspicions(*suspected, retry(0)) == {"a": 0, "b": 0}


# BatchProgressed


def test_progress_of_the_current_run_is_a_sign_of_life_with_positions():
    event = progressed(stage="started", a=("extracting", 2, 9))
    state = given(*RUNNING).when(event).then({"a": "processing", "b": "queued"}, stage="started", last_seen_at=at(2))
    file = state.files[uid("a")]
    assert (file.stage, file.page, file.pages) == ("extracting", 2, 9)


def test_a_file_that_is_no_longer_in_flight_is_queued_again():
    given(*RUNNING, progressed(a=("fetching", 0, 0))).when(progressed()).then({"a": "queued", "b": "queued"})


def test_progress_never_unsettles_a_file():
    given(*RUNNING, processed("a")).when(progressed(a=("extracting", 1, 2))).then({"a": "processed", "b": "queued"})


# FileProcessed and FileFailed


def test_a_processed_file_names_the_true_artefacts():
    state = given(*RUNNING, progressed(a=("uploading", 1, 3))).when(processed("a")).then({"a": "processed", "b": "queued"})
    file = state.files[uid("a")]
    assert (file.page_count, file.text_key, file.thumbnail_key, file.stage) == (3, "text/r1", "thumb/r1", None)
    assert file.updated_at == state.last_seen_at == at(3)


def test_a_failed_file_has_a_code_and_a_sentence():
    state = given(*RUNNING).when(failed("a", code="encrypted")).then({"a": "failed", "b": "queued"}, status="processing")
    assert (state.files[uid("a")].code, state.files[uid("a")].message) == ("encrypted", "It is broken.")


@pytest.mark.parametrize("first", [processed("a"), failed("a")], ids=_type)
@pytest.mark.parametrize("second", [processed("a"), failed("a")], ids=_type)
def test_a_file_is_settled_once(first: Event, second: Event):
    given(*RUNNING, first).when(second).then_nothing_happens()


@pytest.mark.parametrize("event", [processed("c"), failed("c")], ids=_type)
def test_a_file_of_no_batch_changes_nothing(event: Event):
    given(*RUNNING).when(event).then_nothing_happens()


# What only the current run may say


@pytest.mark.parametrize("event", OF_A_RUN, ids=_type)
def test_a_run_that_was_taken_over_changes_nothing_any_more(event: Event):
    given(*RUNNING, processed("a"), started("r2", 2)).when(event).then_nothing_happens()


@pytest.mark.parametrize("event", OF_A_RUN, ids=_type)
def test_a_run_that_was_never_started_changes_nothing(event: Event):
    given(*QUEUED).when(event).then_nothing_happens()


@pytest.mark.parametrize("event", OF_A_RUN, ids=_type)
def test_a_run_that_has_released_its_batch_changes_nothing_any_more(event: Event):
    given(*RUNNING, processed("a"), released()).when(event).then_nothing_happens()


# BatchReleased


def test_a_released_batch_is_queued_without_a_run():
    past = (*RUNNING, processed("a"), progressed(b=("extracting", 2, 9)))
    given(*past).when(released()).then({"a": "processed", "b": "queued"}, status="queued", run_id=None, attempt=1)


# BatchCompleted


def test_a_batch_with_every_file_processed_is_completed():
    given(*COMPLETED[:-1]).when(completed()).then(
        {"a": "processed", "b": "processed"}, status="completed", ended_at=at(4), run_id=None
    )


def test_a_batch_with_a_failed_file_is_completed_with_errors():
    given(*WITH_ERRORS[:-1]).when(completed()).then({"a": "processed", "b": "failed"}, status="completed_with_errors")


def test_a_batch_is_not_completed_while_a_file_is_not_settled():
    given(*RUNNING, processed("a")).when(completed()).then_nothing_happens()


def test_a_batch_of_which_nothing_was_processed_is_not_completed():
    given(*RUNNING, failed("a"), failed("b")).when(completed()).then_nothing_happens()


# BatchFailed


def test_under_isolate_a_failed_batch_keeps_what_was_settled():
    past = (created("abc"), started(), processed("a"), failed("b"))
    state = given(*past).when(batch_failed()).then({"a": "processed", "b": "failed", "c": "failed"}, status="failed", run_id=None)
    assert [file.code for file in state.files.values()] == [None, "corrupt", "batch_failed"]
    assert (state.error_code, state.error_message, state.ended_at) == ("attempts_exhausted", "It is over.", at(4))


def test_under_all_or_nothing_a_failed_batch_fails_every_file():
    past = (created("abc", "all_or_nothing"), started(), processed("a"), failed("b"))
    state = (
        given(*past).when(batch_failed(code="file_failed")).then({"a": "failed", "b": "failed", "c": "failed"}, status="failed")
    )
    assert [file.code for file in state.files.values()] == ["batch_failed", "corrupt", "batch_failed"]
    assert state.files[uid("a")].text_key is None


# BatchCancelRequested


@pytest.mark.parametrize("past", [QUEUED, RUNNING], ids=["queued", "processing"])
def test_a_batch_that_has_not_ended_is_cancelled_at_this_very_place(past: tuple[Event, ...]):
    state = given(*past).when(cancel()).then({"a": "cancelled", "b": "cancelled"}, status="cancelled", run_id=None)
    assert (state.cancel_reason, state.ended_at) == ("A mistake.", at(len(past)))


def test_what_had_finished_before_a_cancel_stays():
    given(*RUNNING, processed("a")).when(cancel()).then({"a": "processed", "b": "cancelled"})


def test_a_cancel_of_an_earlier_generation_changes_nothing():
    given(*FAILED, retry(0)).when(cancel(0)).then_nothing_happens()


def test_a_cancel_of_a_later_generation_changes_nothing():
    given(*RUNNING).when(cancel(1)).then_nothing_happens()


# BatchRetryRequested


@pytest.mark.parametrize(("status", "past"), ENDED.items())
def test_an_ended_batch_is_queued_again_as_the_next_generation(status: str, past: tuple[Event, ...]):
    state = (
        given(*past)
        .when(retry(0, **standings(*past)))
        .then(status="queued", generation=1, attempt=1, run_id=None, stage=None, ended_at=None, started_at=None, error_code=None)
    )
    assert state.start_offset == state.offset == len(past)
    assert all(file.standing in ("processed", "queued") for file in state.files.values())


def test_a_retry_queues_what_failed_and_what_was_cancelled_never_what_was_processed():
    past = (created("abc"), started(), processed("a"), failed("b"), cancel())
    state = given(*past).when(retry(0)).then({"a": "processed", "b": "queued", "c": "queued"})
    assert state.files[uid("a")].text_key == "text/r1"
    assert state.files[uid("b")].code is None


def test_a_retry_queues_the_named_files_only():
    past = (created("abc"), started(), processed("a"), failed("b"), cancel())
    given(*past).when(retry(0, "ac")).then({"a": "processed", "b": "failed", "c": "queued"})


def test_under_all_or_nothing_a_retry_queues_every_file():
    past = (created("ab", "all_or_nothing"), started(), processed("a"), cancel())
    given(*past).when(retry(0, "b")).then({"a": "queued", "b": "queued"})


@pytest.mark.parametrize("past", [QUEUED, RUNNING], ids=["queued", "processing"])
def test_a_batch_that_has_not_ended_is_not_retried_without_force(past: tuple[Event, ...]):
    given(*past).when(retry(0)).then_nothing_happens()


def test_force_retries_a_batch_that_has_not_ended():
    past = (created("abc"), started(), processed("a"), failed("b"))
    given(*past).when(retry(0, force=True)).then({"a": "processed", "b": "queued", "c": "queued"}, generation=1, status="queued")


def test_a_forced_retry_of_a_batch_that_has_not_ended_keeps_its_start():
    given(*RUNNING).when(retry(0, force=True)).then(start_offset=0, offset=2)
    given(*RUNNING, cancel(), retry(0, a="cancelled", b="cancelled"), started("r2", 2)).when(retry(1, force=True)).then(
        start_offset=3, offset=5
    )


def test_so_does_a_retry_whose_sender_did_not_know_the_end():
    given(*CANCELLED).when(retry(0, force=True, a="processed", b="queued")).then(start_offset=0, offset=4)
    given(*CANCELLED).when(retry(0, force=True, a="processed", b="cancelled")).then(start_offset=4, offset=4)


@pytest.mark.parametrize("force", [False, True])
def test_a_retry_of_another_generation_changes_nothing(force: bool):  # noqa: FBT001 - a parameter of the test
    given(*FAILED).when(retry(1, force=force)).then_nothing_happens()
    given(*FAILED, retry(0), cancel(1)).when(retry(0, force=force)).then_nothing_happens()


def test_what_a_retry_carries_counts_for_an_unknown_batch():
    given().when(retry(4, attempt=7, a="processed", b="failed", c="cancelled")).then(
        {"a": "processed", "b": "queued", "c": "queued"}, generation=5, attempt=7, status="queued", offset=0, start_offset=0
    )


def test_what_a_retry_carries_does_not_count_for_a_known_batch():
    given(*FAILED).when(retry(0, attempt=9, a="failed", b="processed", c="failed")).then(
        {"a": "processed", "b": "queued"}, attempt=1
    )


# All of them


@pytest.mark.parametrize("event", [started(), cancel(), *OF_A_RUN], ids=_type)
def test_of_an_unknown_batch_nothing_can_be_said(event: Event):
    given().when(event).then_nothing_happens()


@pytest.mark.parametrize("past", ENDED.values(), ids=list(ENDED))
@pytest.mark.parametrize("event", [created(), started("r2", 2), cancel(), *OF_A_RUN], ids=_type)
def test_the_first_end_wins(past: tuple[Event, ...], event: Event):
    given(*past).when(event).then_nothing_happens()


@pytest.mark.parametrize("offset", [0, 4])
def test_a_record_at_or_below_the_last_accepted_one_changes_nothing(offset: int):
    given(*FAILED[:3], progressed(), released()).when(started("r2", 2), offset).then_nothing_happens()


def test_every_status_that_ends_a_batch_and_every_type_is_told_here():
    assert ENDED.keys() == TERMINAL
    assert {event.type for event in (created(), started(), cancel(), retry(), *OF_A_RUN)} == TYPES.keys()
