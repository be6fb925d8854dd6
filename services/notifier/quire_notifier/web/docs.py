"""What is generated of the contract, for people at `/docs` and for programs beside it. Anybody may read it."""

from typing import Final

from starlette.routing import Route

from quire_notifier.web.page import SAFE
from quire_runtime.static import published_route

DOCUMENTS: Final = {
    "/openapi.json": "openapi-notifier.json",
    "/docs": "http.html",
    "/docs/events": "events.html",
    "/docs/reference.css": "reference.css",
    "/docs/openapi-ingest.json": "openapi-ingest.json",
    "/docs/openapi-notifier.json": "openapi-notifier.json",
    "/docs/asyncapi.json": "asyncapi.json",
}
"""By path. That of ingest is here, too: behind one origin nobody gets to ingest's own."""
_HEADERS = {
    **SAFE,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def docs_routes() -> list[Route]:
    """Pages without a script."""
    return [published_route(path, name, _HEADERS) for path, name in DOCUMENTS.items()]
