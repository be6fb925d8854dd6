"""Makes text fit for an event: without NUL, control characters and lone surrogates, and within a limit of bytes."""

import re
import unicodedata

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks of writing direction can show a name `exe.jpg` as `gpj.exe`; line separators would break a line of a terminal.
_DECEPTIVE = re.compile("[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_LONGEST_SUFFIX = 16  # bytes; a longer "suffix" is part of the name, not a file type


def scrub(text: str, *, keep_lines: bool = False) -> str:
    """Returns the text without control characters and lone surrogates; `keep_lines` keeps line feeds and tabs."""
    return (_CONTROL_BUT_LINES if keep_lines else _CONTROL).sub("", text)


def undeceptive(text: str) -> str:
    """Returns the text without invisible characters that change its direction or break its line."""
    return _DECEPTIVE.sub("", text)


def is_clean(text: str) -> bool:
    """Returns whether the text holds neither NUL, which Postgres cannot store, nor a lone surrogate, which UTF-8 cannot."""
    return "\x00" not in text and not _LONE_SURROGATE.search(text)


def searchable(text: str) -> str:
    """Returns the form of a name that searches compare: the same for upper and lower case and for each encoding of accents."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def shorten(text: str, limit: int) -> str:
    """Returns the text cut to at most `limit` UTF-8 bytes; a text that was cut ends in …"""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode(errors="ignore") + "…"


def shorten_filename(name: str, limit: int = 255) -> str:
    """Returns the name cut to at most `limit` UTF-8 bytes; its suffix is kept."""
    if len(name.encode()) <= limit:
        return name
    stem, dot, suffix = name.rpartition(".")
    tail = (dot + suffix).encode()
    if not stem or len(tail) > _LONGEST_SUFFIX:
        return shorten(name, limit)
    return shorten(stem, limit - len(tail)) + dot + suffix
