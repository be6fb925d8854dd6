"""The name of a part: from its header, and made fit to be stored and shown."""

import re
from urllib.parse import unquote_to_bytes

from quire_schemas.text import scrub, shorten_filename, undeceptive

UNNAMED = "unnamed.pdf"

_SEPARATORS = re.compile(r"[/\\]")
_EXTENDED = re.compile(r""";\s*filename\*\s*=\s*"?([\w!#$%&+^`{}~-]+)'[^']*'([^;"\s]+)""", re.IGNORECASE)


def clean(name: str | None) -> str:
    """The last path component without control and direction marks, at most 255 UTF-8 bytes; or `unnamed.pdf`."""
    last = _SEPARATORS.split(name or "")[-1]
    text = undeceptive(scrub(last)).strip()
    return UNNAMED if text in {"", ".", ".."} else shorten_filename(text)


def extended(disposition: str) -> str | None:
    """The name in a `filename*=UTF-8''…` of a Content-Disposition. RFC 7578 forbids it, some clients send it."""
    found = _EXTENDED.search(disposition)
    if found is None:
        return None
    try:
        return unquote_to_bytes(found[2]).decode(found[1])
    except (LookupError, UnicodeDecodeError):
        return None


def undo_latin1(text: str) -> str:
    """Text whose bytes were read as Latin-1, so that no byte is an error: UTF-8 if it is that, else as it is."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text
