"""Small files that a service holds in memory and serves with an ETag, compressed for clients that accept gzip."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quire_schemas import published

ASKED_AGAIN: Final = "no-cache"
_WORDS: Final = ("text/", "image/svg+xml", "application/json")
"""Beginnings of the media types that are worth compressing."""


class Static(NamedTuple):
    """A file, held in memory."""

    plain: bytes
    packed: bytes | None
    media_type: str
    etag: str


def static(name: str, content: bytes) -> Static:
    """Returns a file to serve. Its media type follows from the name."""
    media_type = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed = gzip.compress(content, mtime=0) if media_type.startswith(_WORDS) else None
    return Static(content, packed, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def static_answer(request: Request, held: Static, headers: Mapping[str, str]) -> Response:
    """Returns the answer with the file, or a 304 for a client that has it already."""
    packed = held.packed if "gzip" in request.headers.get("accept-encoding", "") else None
    etag = held.etag if packed is None else f'{held.etag[:-1]}-gzip"'
    known = etag in request.headers.get("if-none-match", "")
    more = {**headers, "ETag": etag, "Vary": "Accept-Encoding"} | ({} if packed is None else {"Content-Encoding": "gzip"})
    return Response(
        None if known else packed or held.plain,
        304 if known else 200,
        headers=more,
        media_type=None if known else held.media_type,
    )


def published_route(path: str, name: str, headers: Mapping[str, str] | None = None) -> Route:
    """Returns a route that serves a generated document of the contract to everybody. The document
    is read at the first request.
    """

    async def answer(request: Request) -> Response:
        return static_answer(request, _held(name), {"Cache-Control": ASKED_AGAIN, **(headers or {})})

    return Route(path, answer)


@cache
def _held(name: str) -> Static:
    return static(name, published.read(name))
