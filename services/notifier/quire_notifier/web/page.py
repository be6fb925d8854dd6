"""The page: the files of `page/` as they are. Every view of it has a URL of its own and the same HTML."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

VIEWS: Final = ("/", "/collections/{collection_id}", "/batches/{batch_id}")


def directory() -> Path:
    return Path(str(files("quire_notifier").joinpath("page")))


def page_routes(ingest_url: str, folder: Path) -> list[BaseRoute]:
    """To be put after all other routes. `ingest_url`: where the page uploads to; empty: its own origin."""
    headers = {**_SAFE, "Content-Security-Policy": policy(ingest_url)}

    async def view(_request: Request) -> Response:
        return FileResponse(folder / "index.html", headers={**headers, "Cache-Control": "no-cache"})

    return [*(Route(path, view) for path in VIEWS), Mount("/", _Static(folder, headers))]


def policy(ingest_url: str) -> str:
    """Nothing from elsewhere, nothing inline."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
        f"connect-src 'self' {ingest_url}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".replace("  ", " ")
    )


_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"}


class _Static:
    """Files that a browser asks about again each time: they are small, and of one version with the API."""

    def __init__(self, folder: Path, headers: dict[str, str]) -> None:
        self._files = StaticFiles(directory=folder, follow_symlink=True)
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = {**self._headers, "Cache-Control": "no-cache"}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in more.items()]
            await send(message)

        await self._files(scope, receive, with_headers)
