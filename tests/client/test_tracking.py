"""Where batches stand, as the feed tells it."""

from __future__ import annotations

from datetime import timedelta

from tests.client.feed import (
    BATCH,
    NOW,
    active,
    again,
    all_failed,
    cancelled,
    completed,
    created,
    failed,
    processed,
    started,
    subscribed,
    working,
)

from quire_client import Batch, Item, Tracker
from quire_schemas.views import FilePosition


def told(*items: Item) -> Batch:
    tracker = Tracker(files=True)
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
    assert Tracker(files=True).take(processed("a")) == {BATCH}


def test_after_a_loss_what_the_snapshot_lacks_has_to_be_asked_for() -> None:
    """A batch that is not in it has ended; and of the files, of one whose files were known, it says nothing."""
    tracker = Tracker(files=True)
    tracker.take(created("a", "b", seq=1))
    tracker.take(created("x", seq=2, batch_id="other"))
    assert tracker.begin([subscribed(active("1", processed=1), active("2"), seq=9)]) == {BATCH, "other"}
    assert tracker.begin([subscribed(active("1", processed=1), active(BATCH), seq=9)]) == {BATCH, "other", "2"}
    assert tracker.batches[BATCH].settled == 0
    assert tracker.take(subscribed(recovered=True)) == set()


def test_a_batch_that_ended_and_was_retried_in_the_gap_has_its_files_asked_for() -> None:
    tracker = Tracker(files=True)
    for item in (created("a", "b"), started(), processed("a"), failed("b"), completed()):
        tracker.take(item)
    assert tracker.begin([subscribed(active(BATCH, processed=1), seq=9)]) == {BATCH}


def test_files_are_counted_though_a_snapshot_does_not_name_them() -> None:
    tracker = Tracker(files=False)
    position = FilePosition(file_id="a", stage="extracting", page=1, pages=2, filename="a.pdf")
    tracker.begin([subscribed(active(BATCH, processed=1, total=4, in_flight=[position]), seq=3)])
    batch = tracker.batches[BATCH]
    assert (batch.settled, batch.total, batch.complete) == (1, 4, False)
    assert batch.in_flight == [position]
    tracker.take(processed("a", seq=4))
    tracker.take(failed("b", seq=5))
    assert (batch.count("processed"), batch.count("failed"), batch.in_flight) == (2, 1, [])


def test_a_retry_of_files_that_are_not_known_has_to_be_asked_for() -> None:
    tracker = Tracker(files=False)
    tracker.begin([subscribed(active(BATCH, processed=1), seq=3)])
    assert tracker.take(again("b", seq=4)) == {BATCH}


def test_a_message_that_a_later_part_of_the_snapshot_knows_changes_nothing() -> None:
    tracker = Tracker(files=False)
    tracker.begin([subscribed(active("1"), seq=3), subscribed(active(BATCH, processed=1), seq=5)])
    for item in (created("a", "b", seq=4), processed("a", seq=5)):
        assert tracker.take(item) == set()
    assert tracker.batches[BATCH].settled == 1
    tracker.take(failed("b", seq=6))
    assert tracker.batches[BATCH].settled == 2


def test_only_so_many_ended_batches_are_kept_and_every_other_one() -> None:
    tracker = Tracker(files=True)
    for number in range(5):
        tracker.take(created("a", batch_id=f"{number}"))
        if number != 1:
            tracker.batches[f"{number}"].status = "completed"
            tracker.batches[f"{number}"].ended_at = NOW + timedelta(seconds=99 if number == 0 else number)
    tracker.keep_ended(2)
    assert list(tracker.batches) == ["0", "1", "4"]
