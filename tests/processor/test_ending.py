from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from quire_processor.ending import ending_of
from quire_processor.suspicion import culprits, failure, suspects
from quire_schemas import ids
from quire_schemas.events import BatchCompleted, BatchFailed, Policy, Standing
from quire_schemas.states import BatchState, FileState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = ids.derived("run")


def file(name: str, standing: Standing, suspected: int = 0) -> FileState:
    return FileState(
        file_id=name,
        filename=f"{name}.pdf",
        size=1,
        sha256="0" * 64,
        object_key="k",
        updated_at=NOW,
        standing=standing,
        suspected=suspected,
    )


def state(
    *standings: Standing, policy: Policy = "isolate", fruitless: int = 0, settled: bool = False, suspected: tuple[int, ...] = ()
) -> BatchState:
    how_often = (*suspected, *[0] * len(standings))
    files = {str(n): file(str(n), standing, how_often[n]) for n, standing in enumerate(standings)}
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
        run_settled_a_file=settled,
    )


def code(of: BatchState) -> str | None:
    ending = ending_of(of, RUN, 5)
    assert isinstance(ending, BatchFailed)
    return ending.code


def test_a_batch_with_work_left_has_no_end():
    assert ending_of(state("processed", "failed", "processing"), RUN, 5) is None


@pytest.mark.parametrize("standings", [("processed",), ("processed", "failed"), ("processed", "cancelled")])
def test_one_processed_file_completes_a_batch(standings: tuple[Standing, ...]):
    assert ending_of(state(*standings), RUN, 5) == BatchCompleted(run_id=RUN)


def test_a_batch_without_any_processed_file_fails():
    assert code(state("failed", "failed")) == "all_files_failed"


def test_all_or_nothing_fails_at_its_first_failed_file():
    assert code(state("queued", "failed", "processed", policy="all_or_nothing")) == "file_failed"


def test_too_many_runs_without_a_finished_file_exhaust_a_batch():
    assert code(state("processed", "queued", fruitless=5)) == "attempts_exhausted"
    assert ending_of(state("processed", "queued", fruitless=4), RUN, 5) is None


def test_a_batch_that_only_lacks_its_end_is_never_exhausted():
    assert ending_of(state("processed", fruitless=9), RUN, 5) == BatchCompleted(run_id=RUN)


def test_a_batch_whose_likely_culprits_are_known_or_were_just_failed_is_not_exhausted():
    assert ending_of(state("processed", "queued", fruitless=9, suspected=(0, 1)), RUN, 5) is None
    assert code(state("processed", "queued", fruitless=10, suspected=(0, 1))) == "attempts_exhausted"
    assert ending_of(state("failed", "queued", fruitless=5, settled=True), RUN, 5) is None


def names(files: Iterable[FileState]) -> list[str]:
    return [file.file_id for file in files]


def test_files_that_were_in_work_when_a_processor_died_are_worked_on_alone():
    assert suspects(state("queued", "queued", "queued", suspected=(0, 1, 2))) == {"1", "2"}
    assert suspects(state("queued", "processed", fruitless=1)) == set()


def test_all_are_where_processors_die_before_they_tell():
    assert suspects(state("queued", "processed", "queued", fruitless=2)) == {"0", "2"}
    assert suspects(state("queued", "processed", "queued", fruitless=2, suspected=(0, 0, 1))) == {"2"}


def test_a_file_fails_that_as_many_processors_died_over_as_may():
    assert names(culprits(state("queued", "queued", "failed", suspected=(4, 5, 5)), 5)) == ["1"]
    assert culprits(state("queued", "queued"), 5) == ()


def test_its_failure_says_what_to_do():
    told = failure(RUN, file("1", "queued", 5))
    assert told.code == "worker_crashed"
    assert "5 processors" in told.message
    assert "more memory" in told.message
