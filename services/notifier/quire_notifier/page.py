"""The page: files of `page/`, built from `web/`. Every view of it has a URL of its own and the same HTML."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

VIEWS: Final = ("/", "/collections/{collection_id}", "/batches/{batch_id}")
_MISSING = "The page is not built. Run `make run`, or `make web`; the API is here all the same.\n"


def directory() -> Path:
    return Path(str(files("quire_notifier").joinpath("page")))


def page_routes(ingest_url: str, folder: Path) -> list[BaseRoute]:
    """To be put after all other routes. `ingest_url`: where the page uploads to; empty: its own origin."""
    headers = {**_SAFE, "Content-Security-Policy": policy(ingest_url)}

    async def view(_request: Request) -> Response:
        index = folder / "index.html"
        if not index.is_file():
            return Response(_MISSING, 404, headers, media_type="text/plain")
        return FileResponse(index, headers={**headers, "Cache-Control": "no-cache"})

    routes: list[BaseRoute] = [Route(path, view) for path in VIEWS]
    return [*routes, Mount("/", _Static(folder, headers))] if folder.is_dir() else routes


def policy(ingest_url: str) -> str:
    """Nothing from elsewhere, nothing inline."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
        f"connect-src 'self' {ingest_url}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".replace("  ", " ")
    )


_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"}


class _Static:
    """Files whose names hold a hash of their content are good for ever."""

    def __init__(self, folder: Path, headers: dict[str, str]) -> None:
        self._files = StaticFiles(directory=folder)
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lasting = "/assets/" in scope["path"]
        more = {**self._headers, "Cache-Control": "public, max-age=31536000, immutable" if lasting else "no-cache"}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in more.items()]
            await send(message)

        await self._files(scope, receive, with_headers)
