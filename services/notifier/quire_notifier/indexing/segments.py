"""Prepares texts for the index and words for a query. Pure.

Postgres takes for a word what stands between blanks and punctuation. Some scripts put no blanks between words. In these, each
character is indexed as a word and a run of characters is searched as a phrase, so that every part of a sentence can be found.
"""

import re
import unicodedata

PARTING = "\x03"
"""A separator between two characters of such scripts. No page's text contains it, and no word extends over it."""

_UNPARTED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_BEFORE = re.compile(f"(?<=[{_UNPARTED}])(?=[^\\s])|(?<=[^\\s])(?=[{_UNPARTED}])")
_RUN = re.compile(f"[{_UNPARTED}]+")


def indexed(text: str) -> str:
    """Returns a page's text with ligatures and wide letters in their usual form, and separators at the characters of such
    scripts.
    """
    return _BEFORE.sub(PARTING, unicodedata.normalize("NFKC", text))


def asked(words: str) -> str:
    """Returns the search words for `websearch_to_tsquery`. Outside of quotes, a run of characters of such scripts becomes a
    phrase.
    """
    pieces = unicodedata.normalize("NFKC", words).split('"')
    for place, piece in enumerate(pieces):
        pieces[place] = _RUN.sub(_spaced if place % 2 else _quoted, piece)
    return '"'.join(pieces)


def snippet_of(marked: str, start: str = "\x01", stop: str = "\x02") -> tuple[str, list[tuple[int, int]]]:
    """Returns a snippet as plain text on one line, and the places of the hits in it. In `marked`, each hit stands between
    `start` and `stop`.
    """
    text, hits, begun = "", list[tuple[int, int]](), 0
    for piece in re.split(f"([{start}{stop}])", re.sub(r"\s+", " ", marked.replace(PARTING, ""))):
        if piece == start:
            begun = len(text)
        elif piece == stop:
            joined = hits and hits[-1][1] == begun  # adjacent hits without a blank between them are one phrase
            hits[-1:] = [(hits[-1][0], len(text))] if joined else [*hits[-1:], (begun, len(text))]
        else:
            text += piece
    return text, hits


def _spaced(run: re.Match[str]) -> str:
    return f" {' '.join(run[0])} "


def _quoted(run: re.Match[str]) -> str:
    return f' "{" ".join(run[0])}" ' if len(run[0]) > 1 else f" {run[0]} "
