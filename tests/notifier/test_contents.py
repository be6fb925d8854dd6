"""Plain text says at its place where something is missing."""

import msgspec
import pytest

from quire_notifier.contents import _Text

NO_TEXT = {"page": 1, "text": "", "missing": "no_text"}
UNREADABLE = {"page": 1, "text": "", "missing": "unreadable"}
CUT = {"page": 1, "text": "a", "missing": "cut"}


@pytest.mark.parametrize(
    ("pages", "plain"),
    [
        ([{"page": 1, "text": "a"}, {"page": 2, "text": "b"}], "a\f\nb"),
        ([NO_TEXT, {"page": 2, "text": "b"}], "[Page 1 has no text.]\f\nb"),
        ([UNREADABLE, {"page": 2, "text": "b"}], "[Page 1 could not be read.]\f\nb"),
        ([CUT], "a\n[The text of page 1 goes on, but is cut here.]\f\n[What comes after page 1 was not read.]"),
        ([{"page": 1, "text": "a", "missing": "as a later version has it"}, {"page": 2, "text": "b"}], "a\f\nb"),
    ],
)
def test_a_mark_stands_where_text_is_missing(pages: list[dict[str, object]], plain: str) -> None:
    assert msgspec.convert({"page_count": 2, "pages": pages}, _Text).plain() == plain


def test_what_an_older_version_wrote_is_shown_as_it_is() -> None:
    assert msgspec.convert({"pages": [{"page": 1, "text": ""}, {"page": 2, "text": "b"}]}, _Text).plain() == "\f\nb"
