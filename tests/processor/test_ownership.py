from datetime import UTC, datetime

from quire_processor.ownership import Ownership
from quire_schemas import ids
from quire_schemas.events import (
    BatchCancelRequested,
    BatchCompleted,
    BatchCreated,
    BatchStarted,
    Event,
    EventData,
    FileProcessed,
    FileSpec,
    event_of,
)
from quire_schemas.retry import retry_requested
from quire_schemas.states import BatchState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BATCH, OTHER, RUN, FILE, REQUEST = (ids.derived(name) for name in ("batch", "other", "run", "file", "request"))


def event(data: EventData, batch_id: str = BATCH) -> Event:
    return event_of(data, id=ids.derived(batch_id, data), batch_id=batch_id, collection_id="c", source="/test", time=NOW)


def created(batch_id: str = BATCH) -> Event:
    spec = FileSpec(file_id=FILE, filename="a.pdf", size=1, sha256="0" * 64, object_key="k")
    return event(BatchCreated(collection_id="c", request_id=REQUEST, files=(spec,)), batch_id)


def started(attempt: int = 1) -> Event:
    return event(BatchStarted(attempt=attempt, run_id=RUN, worker="w"))


CANCELLED = event(BatchCancelRequested(generation=0))


def owning(*events: Event, end: int = 0) -> Ownership:
    ownership = Ownership()
    ownership.begin(0, 0)
    ownership.catch_up({0: end})
    for offset, one in enumerate(events):
        ownership.fold(0, offset, one)
    return ownership


def ended(ownership: Ownership) -> BatchState:
    ownership.confirm(dict.fromkeys(ownership.unconfirmed()))
    state = ownership.state(BATCH)
    assert state is not None
    assert state.terminal
    return state


def test_a_new_batch_is_known_once_its_past_has_been_looked_up():
    ownership = owning(created(), started())
    assert ownership.state(BATCH) is None
    assert ownership.confirm({BATCH: None}) == (BATCH,)
    state = ownership.state(BATCH)
    assert state is not None
    assert (state.status, state.run_id) == ("processing", RUN)


def test_a_batch_that_ended_long_ago_and_comes_again_is_not_taken_for_a_new_one():
    past = ended(owning(created(), CANCELLED))
    ownership = owning(created(), started())
    assert ownership.confirm({BATCH: past}) == ()
    assert ownership.state(BATCH) is None
    assert ownership.marks() == {0: 2}


def test_a_retry_that_waits_behind_a_repeated_creation_is_still_accepted():
    past = ended(owning(created(), CANCELLED))
    ownership = owning(created(), CANCELLED, event(retry_requested(past)))
    ownership.confirm({BATCH: past})
    state = ownership.state(BATCH)
    assert state is not None
    assert (state.generation, state.status) == (1, "queued")


def test_a_retry_of_a_generation_that_is_over_reopens_nothing():
    past = ended(owning(created(), CANCELLED))
    retry = event(retry_requested(past))
    again = ended(owning(created(), CANCELLED, retry, event(BatchCancelRequested(generation=1))))
    ownership = owning(retry)
    ownership.confirm({BATCH: again})
    assert ownership.state(BATCH) is None


def test_a_forced_retry_goes_on_from_how_the_batch_ended_not_from_what_its_sender_believed():
    running = owning(created(), started())
    running.confirm({BATCH: None})
    believed = running.state(BATCH)
    assert believed is not None
    outcome = FileProcessed(run_id=RUN, file_id=FILE, page_count=1, title=None, text_key="t", thumbnail_key=None, duration_ms=1)
    past = ended(owning(created(), started(), event(outcome), event(BatchCompleted(run_id=RUN))))
    ownership = Ownership()
    ownership.begin(0, 4)
    ownership.fold(0, 4, event(retry_requested(believed, force=True)))
    ownership.confirm({BATCH: past})
    state = ownership.state(BATCH)
    assert state is not None
    assert (state.generation, state.files[FILE].standing) == (1, "processed")


def test_the_mark_stays_at_the_lowest_start_until_the_batch_is_dropped():
    ownership = owning(created(), created(OTHER), CANCELLED)
    assert ownership.marks() == {0: 0}
    ownership.confirm({BATCH: None, OTHER: None})
    assert ownership.marks() == {0: 0}
    ownership.drop(BATCH)
    assert ownership.marks() == {0: 1}
    ownership.drop(OTHER)
    assert ownership.marks() == {0: 3}


def test_a_reopened_batch_holds_the_mark_at_its_retry_once_the_end_before_it_is_remembered():
    ownership = owning(created(), CANCELLED)
    first = ended(ownership)
    ownership.fold(0, 2, event(retry_requested(first)))
    assert ownership.marks() == {0: 0}
    ownership.remembered(first)
    assert ownership.marks() == {0: 2}


def test_an_end_that_is_remembered_late_does_not_move_the_mark_past_a_later_one():
    ownership = owning(created(), CANCELLED)
    first = ended(ownership)
    ownership.fold(0, 2, event(retry_requested(first)))
    ownership.fold(0, 3, event(BatchCancelRequested(generation=1)))
    second = ended(ownership)
    ownership.fold(0, 4, event(retry_requested(second)))
    ownership.remembered(first)
    assert ownership.marks() == {0: 0}
    ownership.remembered(second)
    assert ownership.marks() == {0: 4}


def test_a_retry_of_an_end_that_was_never_remembered_goes_on_from_its_own_description():
    past = ended(owning(created(), CANCELLED))
    retried = owning(created(), CANCELLED, event(retry_requested(past)), event(BatchCancelRequested(generation=1)))
    again = event(retry_requested(ended(retried)))
    ownership = owning(again)
    ownership.confirm({BATCH: past})
    state = ownership.state(BATCH)
    assert state is not None
    assert (state.generation, state.status) == (2, "queued")


def test_a_partition_is_live_only_at_the_high_watermark_of_its_assignment():
    ownership = owning(created(), end=2)
    assert not ownership.live(0)
    assert ownership.marks() == {}
    ownership.fold(0, 1, None)
    assert ownership.live(0)


def test_partitions_that_went_are_forgotten_and_those_that_stayed_go_on():
    ownership = owning(created())
    ownership.begin(1, 0)
    ownership.fold(1, 0, created(OTHER))
    ownership.confirm({BATCH: None, OTHER: None})
    assert ownership.retain(frozenset({0})) == (OTHER,)
    assert ownership.state(OTHER) is None
    assert ownership.position(0) == 1
    assert ownership.position(1) is None


def test_a_record_folded_again_after_a_seek_changes_nothing():
    ownership = owning(created(), started())
    ownership.confirm({BATCH: None})
    before = ownership.state(BATCH)
    assert ownership.fold(0, 0, created()) is None
    assert ownership.fold(0, 1, started()) is None
    assert ownership.state(BATCH) is before
    assert ownership.position(0) == 2


def test_every_run_of_the_generation_is_known_also_those_not_accepted():
    ownership = owning(created(), started(), started(attempt=7))
    ownership.confirm({BATCH: None})
    entry = ownership.entry(BATCH)
    assert entry is not None
    assert entry.runs == {RUN}
