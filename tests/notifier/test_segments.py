"""Text as it is indexed, and words as they are asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_notifier.indexing.indexer import PIECE, pieces
from quire_notifier.indexing.segments import PARTING, asked, indexed, snippet_of


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("harbour office", "harbour office"),
        ("降雨量", '"降 雨 量"'),
        ("雨", "雨"),
        ("2024年 report", "2024 年  report"),
        ('"降雨量 report"', '" 降 雨 量  report"'),
        ("ﬁsh -ﬂag", "fish -flag"),
        ("ภาษา", '"ภ า ษ า"'),
    ],
)
def test_a_run_of_a_script_without_blanks_is_asked_for_as_a_phrase(words: str, query: str) -> None:
    assert asked(words).strip() == query


def test_its_characters_are_parted_and_nothing_else_is() -> None:
    assert indexed("降雨 rain2024年, ﬁsh").split(PARTING) == ["降", "雨 rain2024", "年", ", fish"]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_a_snippet_without_hits_is_the_text(text: str) -> None:
    assert snippet_of(indexed(text))[1] == []
    assert PARTING not in snippet_of(indexed(text))[0]


def test_hits_are_places_in_the_snippet_and_those_side_by_side_are_one() -> None:
    text, hits = snippet_of("one \x01two\x02\nthree \x01降\x02\x03\x01雨\x02量")
    assert text == "one two three 降雨量"
    assert [text[start:end] for start, end in hits] == ["two", "降雨"]


async def texts(*pages: str) -> AsyncGenerator[tuple[int, str], None]:
    for page, text in enumerate(pages, start=1):
        for start in range(0, len(text), 7_000):
            yield page, text[start : start + 7_000]


async def test_a_long_page_is_indexed_in_pieces_that_end_between_words() -> None:
    long = "lighthouse " * 10_000
    found = [piece async for piece in pieces(texts("short", " \n ", long, "x" * 50_000))]
    assert [(piece.page, piece.piece) for piece in found][:3] == [(1, 0), (3, 0), (3, 1)]
    assert "".join(piece.body for piece in found if piece.page == 3) == long
    assert all(piece.body.endswith(" ") for piece in found if piece.page == 3)
    assert "".join(piece.body for piece in found if piece.page == 4) == "x" * 50_000
    assert max(len(piece.body) for piece in found) <= PIECE
