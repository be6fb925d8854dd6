"""The directory of one worker process."""

import os
from pathlib import Path

import pytest

from quire_processor.workbench import RESULTS, ResultLost, Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench.make(tmp_path / "scratch")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    return path


def test_a_file_lies_on_it_as_long_as_it_is_worked_on(bench: Workbench, source: Path) -> None:
    with bench.holding(source):
        assert bench.original.read_bytes() == b"%PDF"
        assert not source.exists()
    assert source.read_bytes() == b"%PDF"
    assert sorted(path.name for path in bench.directory.iterdir()) == sorted(RESULTS)


def test_results_of_the_file_before_are_not_taken_for_those_of_this_one(bench: Workbench, source: Path, tmp_path: Path) -> None:
    bench.results[0].write_text("of the file before")
    with bench.holding(source):
        bench.copy_results(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in RESULTS] == [b""] * len(RESULTS)


def test_a_result_cannot_be_changed_once_it_is_copied(bench: Workbench, tmp_path: Path) -> None:
    with bench.results[0].open("w") as kept_open_by_the_worker:
        kept_open_by_the_worker.write("checked")
        kept_open_by_the_worker.flush()
        bench.copy_results(tmp_path)
        kept_open_by_the_worker.write(" and changed")
    assert (tmp_path / RESULTS[0]).read_text() == "checked"


@pytest.mark.parametrize(
    "instead",
    [lambda path: path.symlink_to("/proc/self/environ"), os.mkfifo, Path.mkdir, lambda _path: None],
    ids=["a link", "a pipe", "a directory", "nothing"],
)
def test_what_a_worker_puts_in_the_place_of_a_result_is_not_followed(bench: Workbench, tmp_path: Path, instead: object) -> None:
    bench.results[0].unlink()
    instead(bench.results[0])  # type: ignore[operator]
    with pytest.raises(ResultLost, match=r"pages\.tsv"):
        bench.copy_results(tmp_path)


def test_it_is_made_again_where_somebody_tidied_up(tmp_path: Path) -> None:
    bench = Workbench.make(tmp_path / "gone" / "scratch")
    assert bench.directory.stat().st_mode & 0o777 == 0o700
    bench.remove()
    bench.remove()
    assert list((tmp_path / "gone" / "scratch").iterdir()) == []
