"""Text that may stand in an event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_schemas.text import is_clean, scrub, shorten, shorten_filename

ANY = st.text(st.characters(exclude_categories=()))
CLEAN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)


@given(ANY)
def test_scrubbed_text_is_clean_and_stays_as_it_is(text: str):
    assert is_clean(scrub(text))
    assert scrub(scrub(text)) == scrub(text)
    assert is_clean(scrub(text, keep_lines=True))


@given(CLEAN)
def test_clean_text_is_left_alone(text: str):
    assert scrub(text) == text


def test_lines_are_kept_where_they_are_wanted():
    assert scrub("a\tb\r\nc\x00\ud800d\x85") == "abcd"
    assert scrub("a\tb\r\nc\x00\ud800d\x85", keep_lines=True) == "a\tb\ncd"


@pytest.mark.parametrize(("text", "clean"), [("a\x01é", True), ("a\x00", False), ("\udc80", False), ("", True)])
def test_nul_and_lone_surrogates_are_not_clean(text: str, *, clean: bool):
    assert is_clean(text) is clean


@given(text=CLEAN, limit=st.integers(3, 400))
def test_shortened_text_is_a_beginning_within_the_limit(text: str, limit: int):
    short = shorten(text, limit)
    assert len(short.encode()) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@given(stem=CLEAN.filter(lambda stem: stem != ""), suffix=st.sampled_from([".pdf", ".PDF", ".p", "", ".a suffix that is none"]))
def test_a_shortened_filename_keeps_its_suffix(stem: str, suffix: str):
    short = shorten_filename(stem * 9 + suffix)
    assert 0 < len(short.encode()) <= 255
    assert short.endswith(suffix[-4:]) or suffix.startswith(".a ") or short == stem * 9 + suffix


def test_a_name_that_is_all_suffix_is_cut():
    assert shorten_filename("." + "p" * 300) == "." + "p" * 251 + "…"
