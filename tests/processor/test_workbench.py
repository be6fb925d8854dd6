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


def test_what_comes_from_memory_lies_on_it_as_long(bench: Workbench) -> None:
    with bench.holding(b"%PDF"):
        assert bench.original.read_bytes() == b"%PDF"
    assert sorted(path.name for path in bench.directory.iterdir()) == sorted(RESULTS)


def test_no_link_is_followed_that_a_worker_has_put_in_the_place_of_the_next_original(bench: Workbench, source: Path) -> None:
    bench.original.symlink_to(source)
    with bench.holding(b"another"):
        assert bench.original.read_bytes() == b"another"
    assert source.read_bytes() == b"%PDF"


def test_results_of_the_file_before_are_not_taken_for_those_of_this_one(bench: Workbench) -> None:
    bench.results[0].write_text("of the file before")
    with bench.holding(b"%PDF"):
        for name in RESULTS:
            with bench.result(name) as result:
                assert (result.file.read(), result.size) == (b"", 0)


@pytest.mark.parametrize(
    "instead",
    [lambda path: path.symlink_to("/proc/self/environ"), os.mkfifo, Path.mkdir, lambda _path: None],
    ids=["a link", "a pipe", "a directory", "nothing"],
)
def test_what_a_worker_puts_in_the_place_of_a_result_is_not_followed(bench: Workbench, instead: object) -> None:
    bench.results[0].unlink()
    instead(bench.results[0])  # type: ignore[operator]
    with pytest.raises(ResultLost, match=r"pages\.tsv"), bench.result(RESULTS[0]):
        pass


def test_it_is_made_again_where_somebody_tidied_up(tmp_path: Path) -> None:
    bench = Workbench.make(tmp_path / "gone" / "scratch")
    assert bench.directory.stat().st_mode & 0o777 == 0o700
    bench.remove()
    bench.remove()
    assert list((tmp_path / "gone" / "scratch").iterdir()) == []
