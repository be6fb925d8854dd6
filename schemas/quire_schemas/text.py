"""Text as it may stand in an event: no NUL, no control character, no lone surrogate, no more bytes than agreed."""

import re
import unicodedata

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks that turn writing round make `gpj.exe` of `exe.jpg`; the line separators would break a line of a terminal.
_DECEPTIVE = re.compile("[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_LONGEST_SUFFIX = 16  # bytes; a longer "suffix" is part of the name, not a file type


def scrub(text: str, *, keep_lines: bool = False) -> str:
    """Text without control characters and lone surrogates; `keep_lines` keeps line feeds and tabs."""
    return (_CONTROL_BUT_LINES if keep_lines else _CONTROL).sub("", text)


def undeceptive(text: str) -> str:
    """Text without the characters that make it look like another."""
    return _DECEPTIVE.sub("", text)


def is_clean(text: str) -> bool:
    """Whether text holds neither NUL nor a lone surrogate: Postgres stores the one not, UTF-8 the other."""
    return "\x00" not in text and not _LONE_SURROGATE.search(text)


def searchable(text: str) -> str:
    """What is compared of a name that is looked for: the same for upper and lower case, and however accents are written."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def shorten(text: str, limit: int) -> str:
    """The longest beginning of the text that takes at most `limit` UTF-8 bytes, ending in … where something was cut."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode(errors="ignore") + "…"


def shorten_filename(name: str, limit: int = 255) -> str:
    """The name in at most `limit` UTF-8 bytes, its suffix kept."""
    if len(name.encode()) <= limit:
        return name
    stem, dot, suffix = name.rpartition(".")
    tail = (dot + suffix).encode()
    if not stem or len(tail) > _LONGEST_SUFFIX:
        return shorten(name, limit)
    return shorten(stem, limit - len(tail)) + dot + suffix
