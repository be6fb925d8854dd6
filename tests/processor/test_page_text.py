"""The text of a page is what stands on it, in the order in which people read it."""

from pathlib import Path

import pytest
from tests.processor.blank_font import PATH, blank_font
from tests.processor.pdf import FONT, lines, page, pages
from tests.samples_pdf import one_page, stream

TURNED = {90: b"0 1 -1 0 595 0 cm ", 180: b"-1 0 0 -1 595 842 cm ", 270: b"0 -1 1 0 0 842 cm "}
"""Turns what is drawn, so that it stands upright on a page that is shown turned clockwise by so many degrees."""


def column(x: float, name: str, rows: int = 8) -> list[tuple[float, float, str]]:
    return [(x, 700 - 20 * row, f"{name} {row} lorem ipsum dolor sit amet") for row in range(rows)]


@pytest.mark.parametrize("degrees", TURNED)
def test_rows_of_a_table_on_a_rotated_page_stay_rows(tmp_path: Path, degrees: int) -> None:
    cells = [(72 + 150 * column, 500 - 20 * row, f"cell {row}.{column}") for row in range(4) for column in range(3)]
    rows = "\n".join(f"cell {row}.0 cell {row}.1 cell {row}.2" for row in range(4))
    assert pages(page(TURNED[degrees] + lines(*cells), b"/Rotate %d" % degrees), tmp_path) == [rows]


@pytest.mark.parametrize("degrees", TURNED)
def test_lines_that_are_turned_on_an_upright_page_stay_lines(tmp_path: Path, degrees: int) -> None:
    texts = ["The top", "First line of a landscape page", "Second line"]
    content = TURNED[degrees] + lines(*((72, 500 - 20 * row, text) for row, text in enumerate(texts)))
    assert pages(page(content), tmp_path) == ["\n".join(texts)]


def test_what_is_cropped_away_is_not_read(tmp_path: Path) -> None:
    content = lines((100, 700, "Shown"), (100, 60, "Printer's mark"), (100, 500, "Shown too"))
    assert pages(page(content, b"/CropBox [50 100 545 800]"), tmp_path) == ["Shown\nShown too"]


def test_of_a_line_that_is_cropped_what_is_shown_is_read(tmp_path: Path) -> None:
    content = lines((100, 700, "Shown in full"), (100, 500, "Seen and                          gone"))
    assert pages(page(content, b"/CropBox [50 100 200 800]"), tmp_path) == ["Shown in full\nSeen and"]


def test_a_word_that_is_parted_at_the_end_of_a_line_is_one_word(tmp_path: Path) -> None:
    content = lines((72, 700, "The deduction of expenses is permit-"), (72, 686, "ted by law"))
    assert pages(page(content), tmp_path) == ["The deduction of expenses is permitted by law"]


def test_what_the_file_draws_last_is_read_first_where_it_stands_above(tmp_path: Path) -> None:
    content = lines((72, 80, "A footer"), (72, 600, "The text"), (72, 586, "goes on"), (72, 750, "The title"))
    assert pages(page(content), tmp_path) == ["The title\nThe text\ngoes on\nA footer"]


def test_two_columns_that_are_drawn_row_by_row_are_read_one_after_the_other(tmp_path: Path) -> None:
    left, right = column(60, "left"), column(320, "right")
    woven = [place for row in zip(left, right, strict=True) for place in row]
    assert pages(page(lines(*woven)), tmp_path) == ["\n".join(text for _, _, text in left + right)]


def test_two_columns_that_are_drawn_one_by_one_stay_so(tmp_path: Path) -> None:
    both = column(60, "left") + column(320, "right")
    assert pages(page(lines(*both)), tmp_path) == ["\n".join(text for _, _, text in both)]


def test_a_table_is_read_row_by_row(tmp_path: Path) -> None:
    cells = [(x, 700 - 20 * row, f"{name} {row}") for row in range(8) for x, name in ((60, "item"), (320, "price"))]
    assert pages(page(lines(*cells)), tmp_path) == ["\n".join(f"item {row} price {row}" for row in range(8))]


def japanese(*columns: tuple[float, float, str], encoding: str) -> bytes:
    """A page with a font for Japanese that the file does not bring along; glyphs are placed one by one."""
    shown = "".join(f"1 0 0 1 {x} {y - 20 * n} Tm <{ord(c):04x}> Tj " for x, y, text in columns for n, c in enumerate(text))
    font = (
        f"<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiMin-W3 /Encoding /{encoding} /DescendantFonts [<< /Type /Font "
        "/Subtype /CIDFontType0 /BaseFont /HeiseiMin-W3 /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> "
        "/FontDescriptor << /Type /FontDescriptor /FontName /HeiseiMin-W3 /Flags 4 /Ascent 880 /Descent -120 /CapHeight 700 "
        "/ItalicAngle 0 /StemV 80 /FontBBox [0 -120 1000 880] >> >>] >>"
    )
    return one_page(stream(f"BT /F1 20 Tf {shown}ET".encode()), FONT, more=(font.encode(),))


@pytest.mark.parametrize("encoding", ["UniJIS-UCS2-H", "UniJIS-UCS2-V"])
def test_columns_of_japanese_are_read_from_the_right(tmp_path: Path, encoding: str) -> None:
    first, second = "吾輩は猫である", "名前はまだ無い"
    content = japanese((300, 700, second), (340, 700, first), encoding=encoding)
    assert pages(content, tmp_path) == [f"{first}\n{second}"]


def test_the_font_that_stands_for_those_that_are_missing_is_what_it_is_said_to_be() -> None:
    assert PATH.read_bytes() == blank_font()
