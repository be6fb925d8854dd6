"""Text as the index has it, and words as it is asked for them. Pure.

Postgres takes what stands between blanks and marks for a word. Some scripts put no blanks between words: of these each character
is taken for one, and a run of them for a phrase, so that every part of a sentence is found.
"""

import re
import unicodedata

PARTING = "\x03"
"""Stands between two such characters; no text of a page holds it, and no word goes over it."""

_UNPARTED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_BEFORE = re.compile(f"(?<=[{_UNPARTED}])(?=[^\\s])|(?<=[^\\s])(?=[{_UNPARTED}])")
_RUN = re.compile(f"[{_UNPARTED}]+")


def indexed(text: str) -> str:
    """A page's text: ligatures and wide letters in their usual form, unparted characters parted."""
    return _BEFORE.sub(PARTING, unicodedata.normalize("NFKC", text))


def asked(words: str) -> str:
    """What people look for, as `websearch_to_tsquery` takes it: outside of quotes, a run of unparted characters is a phrase."""
    pieces = unicodedata.normalize("NFKC", words).split('"')
    for place, piece in enumerate(pieces):
        pieces[place] = _RUN.sub(_spaced if place % 2 else _quoted, piece)
    return '"'.join(pieces)


def snippet_of(marked: str, start: str = "\x01", stop: str = "\x02") -> tuple[str, list[tuple[int, int]]]:
    """A snippet in which hits are enclosed, as plain text on one line, and where the hits are in it."""
    text, hits, begun = "", list[tuple[int, int]](), 0
    for piece in re.split(f"([{start}{stop}])", re.sub(r"\s+", " ", marked.replace(PARTING, ""))):
        if piece == start:
            begun = len(text)
        elif piece == stop:
            joined = hits and hits[-1][1] == begun  # characters of a phrase, without a blank between them
            hits[-1:] = [(hits[-1][0], len(text))] if joined else [*hits[-1:], (begun, len(text))]
        else:
            text += piece
    return text, hits


def _spaced(run: re.Match[str]) -> str:
    return f" {' '.join(run[0])} "


def _quoted(run: re.Match[str]) -> str:
    return f' "{" ".join(run[0])}" ' if len(run[0]) > 1 else f" {run[0]} "
