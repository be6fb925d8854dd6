"""Where batches stand, as the feed tells it."""

from __future__ import annotations

from datetime import timedelta

from tests.cli.feed import (
    BATCH,
    NOW,
    again,
    all_failed,
    cancelled,
    completed,
    created,
    failed,
    processed,
    started,
    subscribed,
    view,
    working,
)

from quire_cli.tracking import Batch, Tracker
from quire_schemas.client import Item


def told(*items: Item) -> Batch:
    tracker = Tracker()
    for item in items:
        assert tracker.take(item) == set()
    return tracker.batches[BATCH]


def test_a_batch_goes_from_queued_to_its_end_and_every_file_with_it() -> None:
    batch = told(created("a", "b"), started(), processed("a"), failed("b"), completed())
    assert (batch.status, batch.ended, batch.settled) == ("completed_with_errors", True, 2)
    assert (batch.files["a"].standing, batch.files["a"].pages) == ("processed", 3)
    assert (batch.files["b"].standing, batch.files["b"].code) == ("failed", "encrypted")


def test_what_is_in_flight_leaves_it_when_it_is_settled() -> None:
    assert [each.file_id for each in told(created("a", "b"), started(), working("a", 1, 9)).in_flight] == ["a"]
    assert told(created("a", "b"), started(), working("a", 1, 9), processed("a")).in_flight == []
    assert told(created("a", "b"), started(), working("a", 1, 9), started(2)).in_flight == []


def test_a_batch_that_failed_or_was_cancelled_says_why() -> None:
    batch = told(created("a", "b"), started(), all_failed())
    assert (batch.status, batch.code, batch.message) == ("failed", "all_files_failed", "No file could be read.")
    batch = told(created("a", "b"), started(), cancelled("wrong folder"))
    assert (batch.status, batch.code, batch.message) == ("cancelled", None, "wrong folder")


def test_a_retry_opens_the_batch_again_for_the_files_it_names() -> None:
    batch = told(created("a", "b"), started(), processed("a"), failed("b"), completed(), again("b"))
    assert (batch.status, batch.ended, batch.ended_at) == ("queued", False, None)
    assert {name: file.standing for name, file in batch.files.items()} == {"a": "processed", "b": "queued"}
    assert batch.files["b"].code is None


def test_a_batch_that_was_never_heard_of_has_to_be_asked_for() -> None:
    assert Tracker().take(processed("a")) == {BATCH}


def test_after_a_loss_active_batches_are_those_of_the_snapshot_and_the_others_have_to_be_asked_for() -> None:
    tracker = Tracker()
    tracker.take(created("a", seq=1))
    tracker.take(created("x", seq=2, batch_id="other"))
    assert tracker.take(subscribed(view(a="processed", b="queued"))) == {"other"}
    assert tracker.batches[BATCH].settled == 1
    assert tracker.take(subscribed(recovered=True)) == set()


def test_only_so_many_ended_batches_are_kept_and_every_other_one() -> None:
    tracker = Tracker()
    for number in range(5):
        tracker.take(created("a", batch_id=f"{number}"))
        if number != 1:
            tracker.batches[f"{number}"].status = "completed"
            tracker.batches[f"{number}"].ended_at = NOW + timedelta(seconds=99 if number == 0 else number)
    tracker.keep_ended(2)
    assert list(tracker.batches) == ["0", "1", "4"]
