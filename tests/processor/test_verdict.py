from datetime import UTC, datetime

import pytest

from quire_processor.verdict import verdict
from quire_schemas import ids
from quire_schemas.batch import BatchState, FileState
from quire_schemas.events import BatchCompleted, BatchFailed, Policy, Standing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = ids.derived("run")


def state(*standings: Standing, policy: Policy = "isolate", fruitless: int = 0) -> BatchState:
    files = {
        str(n): FileState(
            file_id=str(n), filename=f"{n}.pdf", size=1, sha256="0" * 64, object_key="k", updated_at=NOW, standing=standing
        )
        for n, standing in enumerate(standings)
    }
    return BatchState(
        batch_id="b",
        collection_id="c",
        request_id="r",
        policy=policy,
        files=files,
        offset=0,
        start_offset=0,
        created_at=NOW,
        status="processing",
        run_id=RUN,
        fruitless=fruitless,
    )


def code(of: BatchState) -> str | None:
    ending = verdict(of, RUN, 5)
    assert isinstance(ending, BatchFailed)
    return ending.code


def test_a_batch_with_work_left_has_no_verdict():
    assert verdict(state("processed", "failed", "processing"), RUN, 5) is None


@pytest.mark.parametrize("standings", [("processed",), ("processed", "failed"), ("processed", "cancelled")])
def test_one_processed_file_completes_a_batch(standings: tuple[Standing, ...]):
    assert verdict(state(*standings), RUN, 5) == BatchCompleted(run_id=RUN)


def test_a_batch_without_any_processed_file_fails():
    assert code(state("failed", "failed")) == "all_files_failed"


def test_all_or_nothing_fails_at_its_first_failed_file():
    assert code(state("queued", "failed", "processed", policy="all_or_nothing")) == "file_failed"


def test_too_many_runs_without_a_finished_file_exhaust_a_batch():
    assert code(state("processed", "queued", fruitless=5)) == "attempts_exhausted"
    assert verdict(state("processed", "queued", fruitless=4), RUN, 5) is None


def test_a_batch_that_only_lacks_its_end_is_never_exhausted():
    assert verdict(state("processed", fruitless=9), RUN, 5) == BatchCompleted(run_id=RUN)
