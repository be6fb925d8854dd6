"""The page: what `web/` builds into `page/` of this package. Every view of it has a URL of its own and the same HTML."""

import gzip
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from quire_runtime.http import Problem

VIEWS: Final = ("/", "/collections/{collection_id}", "/uploads/{request_id}", "/batches/{batch_id}")
_ASKED_AGAIN: Final = "no-cache"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""Of files whose name changes with their content."""
_WORDS: Final = ("text/", "image/svg+xml", "application/json")
"""Types that are worth compressing."""


class Static(NamedTuple):
    """A file of the page, held in memory: all of them are less than a megabyte."""

    plain: bytes
    packed: bytes | None
    media_type: str
    etag: str


def directory() -> Path:
    return Path(str(files("quire_notifier").joinpath("page")))


def page_routes(ingest_url: str, folder: Path) -> list[BaseRoute]:
    """To be put after all other routes. `ingest_url`: where the page uploads to; empty: its own origin. Where the page was not
    built, every address of it says so.
    """
    headers = {**_SAFE, "Content-Security-Policy": policy(ingest_url)}
    held = {
        path.relative_to(folder).as_posix(): _static(path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()
    }
    index = held.pop("index.html", None)

    def view(depth: int) -> Callable[[Request], Awaitable[Response]]:
        """Its addresses are relative: from a view that lies deeper, the way to the files begins higher."""
        static = None if index is None else _static("index.html", index.plain.replace(b'"./', b'"' + (b"../" * depth or b"./")))

        async def answer(request: Request) -> Response:
            if static is None:
                raise Problem(404, "not_found", "The page was not built: run `make setup`.")
            return _answer(request, static, {**headers, "Cache-Control": _ASKED_AGAIN})

        return answer

    async def file(request: Request) -> Response:
        path = request.path_params["path"]
        if path not in held:
            raise Problem(404, "not_found", "There is nothing at this address.")
        lasting = _FOR_EVER if path.startswith("assets/") else _ASKED_AGAIN
        return _answer(request, held[path], {**headers, "Cache-Control": lasting})

    return [*(Route(path, view(path.count("/") - 1)) for path in VIEWS), Route("/{path:path}", file)]


def policy(ingest_url: str) -> str:
    """Nothing from elsewhere, nothing inline."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
        f"connect-src 'self' {ingest_url}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".replace("  ", " ")
    )


_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"}


def _static(name: str, content: bytes) -> Static:
    media_type = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed = gzip.compress(content, mtime=0) if media_type.startswith(_WORDS) else None
    return Static(content, packed, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _answer(request: Request, static: Static, headers: Mapping[str, str]) -> Response:
    packed = static.packed if "gzip" in request.headers.get("accept-encoding", "") else None
    etag = static.etag if packed is None else f'{static.etag[:-1]}-gzip"'
    known = etag in request.headers.get("if-none-match", "")
    more = {**headers, "ETag": etag, "Vary": "Accept-Encoding"} | ({} if packed is None else {"Content-Encoding": "gzip"})
    return Response(
        None if known else packed or static.plain,
        304 if known else 200,
        headers=more,
        media_type=None if known else static.media_type,
    )
