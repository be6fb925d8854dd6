"""Reads the filename from the header of a multipart part, and makes it fit to be stored and shown."""

import re
import unicodedata
from urllib.parse import unquote_to_bytes

from quire_schemas.fields import MAX_PATH_BYTES
from quire_schemas.text import scrub, shorten_filename, undeceptive

UNNAMED = "unnamed.pdf"

_SEPARATORS = re.compile(r"[/\\]")
_DRIVE = re.compile(r"[A-Za-z]:")
_PARAMETER = re.compile(r""";\s*([^\s;="]+)\s*=\s*("(?:\\.|[^"\\])*"|"[^"]*"|[^\s;"]*)""")
_EXTENDED = re.compile(r"([^']*)'[^']*'(.+)")
_CHARSETS = {"utf-8", "iso-8859-1"}
"""The only charsets that are decoded. Python keeps every codec name that it was asked for, so clients may choose no other."""


def clean(name: str | None) -> str:
    """Returns the last path component without control and direction marks, in NFC, at most 255 UTF-8 bytes; or `unnamed.pdf`."""
    text = _component(_SEPARATORS.split(name or "")[-1])
    return shorten_filename(text) if text else UNNAMED


def relative_path(name: str | None) -> str | None:
    """Returns the path of a file within the folder that is uploaded; None where the name has no folder.

    Each component is cleaned as by `clean`. The path takes at most 1,024 UTF-8 bytes: a longer one loses its outer folders.
    """
    *folders, _ = _SEPARATORS.split(name or "")
    path = [*filter(None, map(_component, folders)), clean(name)]
    while len("/".join(path).encode()) > MAX_PATH_BYTES:
        path = path[1:]
    return "/".join(path) if len(path) > 1 else None


def _component(text: str) -> str:
    """Returns a path component, cleaned; empty where it is a drive, `.` or `..`."""
    cleaned = unicodedata.normalize("NFC", undeceptive(scrub(text))).strip()
    return "" if cleaned in {".", ".."} or _DRIVE.fullmatch(cleaned) else cleaned


def parameters(disposition: str) -> dict[str, str]:
    """Returns the parameters of a Content-Disposition, by their names in lower case.

    Values are as written, without their quotes.
    """
    return {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(disposition)}


def extended(value: str) -> str | None:
    """Returns the name in the value of `filename*` (`UTF-8''…`), or None.

    RFC 7578 forbids this parameter, but some clients send it.
    """
    found = _EXTENDED.fullmatch(value)
    if found is None or found[1].lower() not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(found[2]).decode(found[1])
    except UnicodeDecodeError:
        return None


def undo_latin1(text: str) -> str:
    """Returns a text whose bytes were read as Latin-1, read as UTF-8 where they are UTF-8; else return it unchanged."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text
