"""The documents that are generated from the contract: for people at `/docs`, for programs beside
it. Everybody may read them.
"""

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
"""File names by path. The documents of ingest are here too, because behind one origin ingest's own are not reachable."""
_HEADERS = {
    **SAFE,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def docs_routes() -> list[Route]:
    """Returns the routes of the documents, whose pages have no scripts."""
    return [published_route(path, name, _HEADERS) for path, name in DOCUMENTS.items()]
