"""Reads and checks the token that a client is configured with. No message contains the token."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

_TOKEN = re.compile(r"[ -~]+")


class UnfitToken(ValueError):
    """The given text cannot be a token; the message does not repeat it."""


def token_of(environ: Mapping[str, str]) -> str | None:
    """Returns the token in QUIRE_TOKEN or in the file that QUIRE_TOKEN_FILE names; None where neither is set.

    Raises UnfitToken when both are set, when the file cannot be read, or when the text cannot be a token.
    """
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


class _Claims(msgspec.Struct):
    collections: list[str] | str | None = None


def collections_of(token: str) -> list[str] | None:
    """Returns the collections that a JWT names, without any check of its signature; None for a token that is none. Only the
    service that takes the token decides what it allows.
    """
    part = token.split(".")[1:2]
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(f"{part[0]}==") if part else b"", type=_Claims)
    except (ValueError, msgspec.DecodeError):
        return None
    return claims.collections.split() if isinstance(claims.collections, str) else claims.collections or []


def fit(token: str, name: str) -> str:
    """Returns the token without surrounding blanks. Raises UnfitToken, with `name`, for text that no HTTP header can hold: an
    HTTP library would repeat the token in its error.
    """
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise UnfitToken(f"{name}: it is empty, or holds a line break or another character that no token has. Correct it")
    return token
