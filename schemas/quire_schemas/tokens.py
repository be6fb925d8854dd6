"""The token that a client is given: where it is, and whether it can be one. Nothing here ever shows it."""

import re
from collections.abc import Mapping
from pathlib import Path

_TOKEN = re.compile(r"[ -~]+")


class UnfitToken(ValueError):
    """What is given can be no token; the message does not repeat it."""


def token_of(environ: Mapping[str, str]) -> str | None:
    """That of QUIRE_TOKEN, or of the file that QUIRE_TOKEN_FILE names; None where neither is set. Raises UnfitToken."""
    text, file = environ.get("QUIRE_TOKEN"), environ.get("QUIRE_TOKEN_FILE")
    if text and file:
        raise UnfitToken("QUIRE_TOKEN and QUIRE_TOKEN_FILE are both set. Unset one of them")
    if file:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UnfitToken(f"QUIRE_TOKEN_FILE: {file!r} cannot be read ({reason}). Correct the path") from None
    return fit(text, "QUIRE_TOKEN_FILE" if file else "QUIRE_TOKEN") if text else None


def fit(token: str, name: str) -> str:
    """The token without blanks around it. Raises UnfitToken, of `name`, for what no header takes: a library that is given it says
    what it was.
    """
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise UnfitToken(f"{name}: it is empty, or holds a line break or another character that no token has. Correct it")
    return token
