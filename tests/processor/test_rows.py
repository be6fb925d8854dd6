"""Where the text of a file is kept on its way out of a worker process."""

from pathlib import Path

import pytest

from quire_processor.rows import SHORT, SpilledRows


@pytest.mark.parametrize("size", [0, 1, SHORT])
def test_a_short_text_touches_no_disk(tmp_path: Path, size: int) -> None:
    with SpilledRows(tmp_path / "rows") as rows:
        rows.write("x" * (size // 2))
        rows.write("y" * (size - size // 2))
        assert rows.taken() == b"x" * (size // 2) + b"y" * (size - size // 2)
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize("lines", [["é" * SHORT], ["a" * SHORT, "b"], ["a\n"] * SHORT])
def test_a_long_one_is_in_the_file_whole_and_in_its_order(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "rows").write_text("of the file before")
    with SpilledRows(tmp_path / "rows") as rows:
        for line in lines:
            rows.write(line)
        assert rows.taken() is None
        assert (tmp_path / "rows").read_text("utf-8") == "".join(lines)
