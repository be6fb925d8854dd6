"""The directory of one worker process."""

import os
from pathlib import Path

import pytest

from quire_processor.workbench import RowsLost, Workbench


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
    assert [*bench.directory.iterdir()] == [bench.rows]


def test_a_text_of_the_file_before_is_not_taken_for_that_of_this_one(bench: Workbench) -> None:
    bench.rows.write_text("of the file before")
    bench.clear()
    with bench.written() as rows:
        assert (rows.file.read(), rows.size) == (b"", 0)


def test_clearing_follows_no_link(bench: Workbench, source: Path) -> None:
    bench.rows.unlink()
    bench.rows.symlink_to(source)
    with pytest.raises(RowsLost, match=r"pages\.tsv"):
        bench.clear()
    assert source.read_bytes() == b"%PDF"


@pytest.mark.parametrize(
    "instead",
    [lambda path: path.symlink_to("/proc/self/environ"), os.mkfifo, Path.mkdir, lambda _path: None],
    ids=["a link", "a pipe", "a directory", "nothing"],
)
def test_what_a_worker_puts_in_the_place_of_its_text_is_not_followed(bench: Workbench, instead: object) -> None:
    bench.rows.unlink()
    instead(bench.rows)  # type: ignore[operator]
    with pytest.raises(RowsLost, match=r"pages\.tsv"), bench.written():
        pass


def test_it_is_made_again_where_somebody_tidied_up(tmp_path: Path) -> None:
    bench = Workbench.make(tmp_path / "gone" / "scratch")
    assert bench.directory.stat().st_mode & 0o777 == 0o700
    bench.remove()
    bench.remove()
    assert list((tmp_path / "gone" / "scratch").iterdir()) == []
