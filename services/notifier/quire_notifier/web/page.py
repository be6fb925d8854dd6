"""Serves the page, which `web/` builds into `page/` of this package. Each view of it has its own URL, and all have the same
HTML.
"""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from quire_runtime.http import Problem
from quire_runtime.static import ASKED_AGAIN, static, static_answer

VIEWS: Final = ("/", "/collections/{collection_id}", "/uploads/{request_id}", "/batches/{batch_id}")
_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""Cache-Control of files whose name changes with their content."""


def directory() -> Path:
    return Path(str(files("quire_notifier").joinpath("page")))


def page_routes(ingest_url: str, folder: Path) -> list[BaseRoute]:
    """Returns the routes of the page, which must come after all other routes. `ingest_url` is where the page uploads to; empty
    means the page's own origin. If the page was not built, every address of it answers so.
    """
    headers = {**SAFE, "Content-Security-Policy": policy(ingest_url)}
    held = {
        path.relative_to(folder).as_posix(): static(path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()
    }
    index = held.pop("index.html", None)

    def view(depth: int) -> Callable[[Request], Awaitable[Response]]:
        """Returns the endpoint of a view. Addresses in the HTML are relative, so a view at a deeper path gets `../` in front of
        them.
        """
        held_view = None if index is None else static("index.html", index.plain.replace(b'"./', b'"' + (b"../" * depth or b"./")))

        async def answer(request: Request) -> Response:
            if held_view is None:
                raise Problem(404, "not_found", "The page was not built: run `make setup`.")
            return static_answer(request, held_view, {**headers, "Cache-Control": ASKED_AGAIN})

        return answer

    async def file(request: Request) -> Response:
        path = request.path_params["path"]
        if path not in held:
            raise Problem(404, "not_found", "There is nothing at this address.")
        lasting = _FOR_EVER if path.startswith("assets/") else ASKED_AGAIN
        return static_answer(request, held[path], {**headers, "Cache-Control": lasting})

    return [*(Route(path, view(path.count("/") - 1)) for path in VIEWS), Route("/{path:path}", file)]


def policy(ingest_url: str) -> str:
    """Returns the Content-Security-Policy: no sources from other origins except ingest, and nothing inline."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
        f"connect-src 'self' {ingest_url}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".replace("  ", " ")
    )


SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"}
