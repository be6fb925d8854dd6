"""Which files a command line means."""

import os
from pathlib import Path

import pytest

from quire_cli.gather import Gathered, gather


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.pdf", "a.PDF", "note.txt", "deep/er/c.pdf", "[x].pdf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"%PDF-" + name.encode())
    return tmp_path


def nothing() -> str:
    raise AssertionError("standard input was read")


def names(gathered: Gathered) -> list[str]:
    return [file.name for file in gathered.files]


def test_a_folder_gives_its_pdfs_at_any_depth_in_order_and_counts_the_rest(tree: Path) -> None:
    found = gather([str(tree)], nothing)
    assert names(found) == ["[x].pdf", "a.PDF", "b.pdf", "c.pdf"]
    assert (found.skipped, found.unreadable) == (1, [])
    root = tree.name
    assert [file.within for file in found.files] == [f"{root}/[x].pdf", f"{root}/a.PDF", f"{root}/b.pdf", f"{root}/deep/er/c.pdf"]
    assert found.size == sum(file.path.stat().st_size for file in found.files)


def test_a_file_that_is_named_is_taken_whatever_its_name(tree: Path) -> None:
    found = gather([str(tree / "note.txt")], nothing)
    assert [(file.name, file.within) for file in found.files] == [("note.txt", None)]


def test_a_pattern_that_the_shell_left_alone_is_spelled_out(tree: Path) -> None:
    assert names(gather([str(tree / "**" / "*.pdf")], nothing)) == ["[x].pdf", "b.pdf", "c.pdf"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree: Path) -> None:
    assert names(gather([str(tree / "[x].pdf")], nothing)) == ["[x].pdf"]


def test_each_file_is_taken_once_by_whatever_path(tree: Path) -> None:
    (tree / "link.pdf").symlink_to(tree / "b.pdf")
    found = gather([str(tree / "b.pdf"), str(tree / "deep" / ".." / "b.pdf"), str(tree / "link.pdf"), str(tree)], nothing)
    assert sorted(names(found)) == ["[x].pdf", "a.PDF", "b.pdf", "c.pdf"]


@pytest.mark.parametrize("end", ["\n", "\0"])
def test_names_come_from_standard_input_one_a_line_or_ended_by_nul(tree: Path, end: str) -> None:
    text = "".join(f"{tree / name}{end}" for name in ("b.pdf", "deep/er/c.pdf"))
    assert names(gather(["-"], lambda: text)) == ["b.pdf", "c.pdf"]


def test_what_cannot_be_read_is_named_with_the_reason_and_the_rest_goes_on(tree: Path) -> None:
    os.mkfifo(tree / "pipe.pdf")
    (tree / "gone.pdf").symlink_to(tree / "nowhere")
    found = gather([str(tree / "pipe.pdf"), str(tree / "gone.pdf"), str(tree / "*.tif"), str(tree / "b.pdf")], nothing)
    assert names(found) == ["b.pdf"]
    assert [(Path(each.path).name, each.reason) for each in found.unreadable] == [
        ("pipe.pdf", "it is no file"),
        ("gone.pdf", "no such file or directory"),
        ("*.tif", "no such file or directory"),
    ]


def test_a_name_with_a_nul_is_unreadable_and_no_crash(tree: Path) -> None:
    assert [each.reason for each in gather([f"{tree}/a\0b"], nothing).unreadable] == ["a name cannot hold this character"]
