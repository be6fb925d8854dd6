"""The name of a part: from its header, and made fit to be stored and shown."""

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
"""Python keeps every codec name that it was ever asked for: no other name of a client gets so far."""


def clean(name: str | None) -> str:
    """The last path component without control and direction marks, in NFC, at most 255 UTF-8 bytes; or `unnamed.pdf`."""
    text = _component(_SEPARATORS.split(name or "")[-1])
    return shorten_filename(text) if text else UNNAMED


def relative_path(name: str | None) -> str | None:
    """The path of a file within the folder that is uploaded: its components as `clean` has them, of at most 1,024 UTF-8 bytes,
    the outermost left out where they are more. None for a mere name.
    """
    *folders, _ = _SEPARATORS.split(name or "")
    path = [*filter(None, map(_component, folders)), clean(name)]
    while len("/".join(path).encode()) > MAX_PATH_BYTES:
        path = path[1:]
    return "/".join(path) if len(path) > 1 else None


def _component(text: str) -> str:
    """Empty where it names nothing: a drive, the folder itself, the one above."""
    cleaned = unicodedata.normalize("NFC", undeceptive(scrub(text))).strip()
    return "" if cleaned in {".", ".."} or _DRIVE.fullmatch(cleaned) else cleaned


def parameters(disposition: str) -> dict[str, str]:
    """The parameters of a Content-Disposition, by their names in lower case. Values are as written, less their quotes."""
    return {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(disposition)}


def extended(value: str) -> str | None:
    """The name in the value of `filename*`, `UTF-8''…`. RFC 7578 forbids it, some clients send it."""
    found = _EXTENDED.fullmatch(value)
    if found is None or found[1].lower() not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(found[2]).decode(found[1])
    except UnicodeDecodeError:
        return None


def undo_latin1(text: str) -> str:
    """Text whose bytes were read as Latin-1, so that no byte is an error: UTF-8 if it is that, else as it is."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text
