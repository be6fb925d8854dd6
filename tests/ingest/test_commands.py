"""What may be asked of a batch, and what is said then."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from quire_ingest.commands import cancel_requested, retry_wanted
from quire_runtime.http import Problem
from quire_schemas.asked import Cancel, Retry
from quire_schemas.events import Standing, Status
from quire_schemas.states import BatchState, FileState

NOW = datetime(2026, 1, 2, tzinfo=UTC)
IDS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]


def batch(status: Status, *standings: Standing, **changes: Any) -> BatchState:
    files = {
        file_id: FileState(
            file_id=file_id, filename="a.pdf", size=1, sha256="0" * 64, object_key="k", updated_at=NOW, standing=standing
        )
        for file_id, standing in zip(IDS, standings, strict=False)
    }
    state = BatchState(
        batch_id=IDS[0],
        collection_id="default",
        request_id=IDS[1],
        policy="isolate",
        files=files,
        offset=5,
        start_offset=5,
        created_at=NOW,
        status=status,
        generation=3,
    )
    return structs.replace(state, **changes)


def refused(call: Any) -> Problem:
    with pytest.raises(Problem) as refusal:
        call()
    return refusal.value


def test_a_cancel_names_the_generation_it_ends():
    event = cancel_requested(batch("processing", "processing"), "me", Cancel(reason="too\x00 late" + "x" * 2_000))
    assert (event.generation, event.by) == (3, "me")
    assert event.reason is not None
    assert event.reason.startswith("too late")
    assert len(event.reason.encode()) <= 1024


def test_a_batch_that_has_ended_is_not_cancelled():
    problem = refused(lambda: cancel_requested(batch("cancelled", "cancelled"), "me", Cancel()))
    assert (problem.status, problem.code) == (409, "batch_ended")
    assert problem.extra == {"batch_status": "cancelled", "generation": 3}


def test_a_retry_names_the_generation_it_reopens_and_carries_every_file():
    event = retry_wanted(batch("failed", "failed", "cancelled"), "me", Retry(file_ids=(IDS[1],)))
    assert (event.generation, event.force, event.file_ids) == (3, False, (IDS[1],))
    assert [file.standing for file in event.files] == ["failed", "cancelled"]


def test_force_is_said_only_where_it_is_needed():
    assert retry_wanted(batch("processing", "processing"), "me", Retry(force=True)).force
    assert not retry_wanted(batch("failed", "failed"), "me", Retry(force=True)).force


def test_a_batch_that_has_not_ended_is_not_retried_without_force():
    assert refused(lambda: retry_wanted(batch("queued", "queued"), "me", Retry())).code == "batch_not_ended"


def test_where_nothing_would_be_done_again_nothing_is_retried():
    done = batch("completed_with_errors", "processed", "failed")
    assert refused(lambda: retry_wanted(done, "me", Retry(file_ids=(IDS[0],)))).code == "nothing_to_retry"
    assert refused(lambda: retry_wanted(batch("completed", "processed"), "me", Retry())).code == "nothing_to_retry"
    assert refused(lambda: retry_wanted(batch("completed", "processed"), "me", Retry(force=True))).code == "nothing_to_retry"
    assert retry_wanted(batch("failed", "failed", policy="all_or_nothing"), "me", Retry(file_ids=(IDS[0],)))


def test_files_that_are_not_the_batchs_are_named():
    problem = refused(lambda: retry_wanted(batch("failed", "failed"), "me", Retry(file_ids=(IDS[0], IDS[2]))))
    assert (problem.status, problem.code, problem.extra) == (422, "unknown_files", {"file_ids": [IDS[2]]})
