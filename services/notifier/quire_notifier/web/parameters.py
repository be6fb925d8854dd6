"""Query and path parameters, checked. A wrong one raises a Problem that says what would be right."""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from starlette.requests import Request

from quire_runtime.http import Problem
from quire_schemas.fields import COLLECTION
from quire_schemas.text import is_clean

N = TypeVar("N", int, float)
W = TypeVar("W", bound=str)
MOST_ITEMS = 500
ITEMS = 50
MAX_NAME = 255
MAX_WORDS = 500
MAX_SEQ = 2**63 - 1


def uuid_of(text: str, what: str) -> str:
    """Returns the id in its canonical spelling. Raises Problem 404 for what is no id."""
    try:
        return str(UUID(text))
    except ValueError:
        raise Problem(404, "not_found", f"There is no such {what}: its id is a UUID.") from None


def optional_uuid(request: Request, name: str) -> str | None:
    text = request.query_params.get(name)
    try:
        return None if text is None else str(UUID(text))
    except ValueError:
        raise Problem(422, f"invalid_{name}", f"{name} takes a UUID.") from None


def limit_of(request: Request) -> int:
    return number(request.query_params, "limit", ITEMS, least=1, most=MOST_ITEMS)


def number(query: Mapping[str, str], name: str, default: N, *, least: N, most: N) -> N:
    """Returns a number. Raises Problem 422 unless the parameter is a number in this range."""
    text = query.get(name)
    if text is None:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:  # a NaN is not in any range
        raise Problem(422, f"invalid_{name}", f"{name} takes a number from {least:g} to {most:g}.")
    return value


def words(request: Request, name: str, known: Sequence[str]) -> list[str] | None:
    """Returns the words of `?status=a&status=b` or `?status=a,b`, or None if there are none. Raises Problem 422 for an unknown
    word.
    """
    given = [word for text in request.query_params.getlist(name) for word in text.split(",") if word]
    if unknown := [word for word in given if word not in known]:
        raise Problem(422, f"invalid_{name}", f"{name} knows no {unknown[0][:50]!r}; it is one of {', '.join(known)}.")
    return given or None


def uuids(request: Request, name: str, most: int) -> list[str]:
    """Returns the ids of `?file_id=…&file_id=…` or `?file_id=…,…`, each once. Raises Problem 422."""
    given = [text for each in request.query_params.getlist(name) for text in each.split(",")]
    try:
        found = list(dict.fromkeys(str(UUID(text)) for text in given))
    except ValueError:
        raise Problem(422, f"invalid_{name}", f"{name} takes a UUID, or several.") from None
    if len(found) > most:
        raise Problem(422, f"invalid_{name}", f"{name} takes at most {most} UUIDs.")
    return found


def one_of(request: Request, name: str, known: Sequence[W], default: W | None = None) -> W:
    """Returns the word that is given, else `default`, else the first known word. Raises Problem 422 for an unknown word."""
    given = request.query_params.get(name, default or known[0])
    word = next((each for each in known if each == given), None)
    if word is None:
        raise Problem(422, f"invalid_{name}", f"{name} is one of {', '.join(known)}.")
    return word


def cursor_name(request: Request) -> str | None:
    """Returns the name of the collection after which a list of collections goes on."""
    text = request.query_params.get("cursor")
    if text is not None and not COLLECTION.fullmatch(text):
        raise Problem(422, "invalid_cursor", "cursor takes the next_cursor of an earlier page, as it was.")
    return text


def name_of(request: Request) -> str | None:
    """Returns the part of a filename to look for."""
    return _sought(request, "name", MAX_NAME, "characters of a filename")


def words_of(request: Request) -> str | None:
    """Returns the words to look for, in names or in texts."""
    return _sought(request, "q", MAX_WORDS, "characters")


def _sought(request: Request, name: str, most: int, what: str) -> str | None:
    text = request.query_params.get(name) or None
    if text is not None and (len(text) > most or not is_clean(text)):
        raise Problem(422, f"invalid_{name}", f"{name} takes at most {most} {what}.")
    return text
