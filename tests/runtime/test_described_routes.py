"""Every route of a service is described, and everything that is described has a route."""

from __future__ import annotations

from unittest.mock import MagicMock

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from quire_ingest.app import Api
from quire_notifier.main import Notifier
from quire_notifier.sockets.gateway import CENTRIFUGE
from quire_notifier.web.api import KINDS
from quire_notifier.web.docs import DOCUMENTS
from quire_notifier.web.page import VIEWS
from quire_schemas import asyncapi
from quire_schemas.openapi import ingest, notifier
from quire_schemas.openapi.parts import Service

OF_THE_PAGE = {*VIEWS, "/{path:path}", *DOCUMENTS} - {"/openapi.json"}
OF_CENTRIFUGO = {CENTRIFUGE}
"""Its protocol is described by itself."""


def described(service: Service) -> set[tuple[str, str]]:
    return {(operation.method.upper(), operation.path) for operation in service.operations}


def routed(app: Starlette) -> set[tuple[str, str]]:
    """Each with its method. HEAD comes with GET, without saying so."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    found = {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}
    return {(method, path.replace("{kind}", kind)) for method, path in found for kind in KINDS}


def notifiers() -> Starlette:
    """As it is wired, of parts that are not asked anything here."""
    return Notifier._app(MagicMock(), tuple(MagicMock() for _ in range(8)), MagicMock())  # type: ignore[arg-type]


def test_ingest() -> None:
    app = Api(MagicMock(), (MagicMock(), MagicMock()), MagicMock(), MagicMock(), ()).app()
    assert routed(app) == described(ingest.SERVICE)


def test_the_notifier_over_http() -> None:
    there = {(method, path) for method, path in routed(notifiers()) if path not in OF_THE_PAGE}
    assert there == described(notifier.SERVICE)


def test_the_notifier_over_websocket() -> None:
    there = {route.path for route in notifiers().routes if isinstance(route, WebSocketRoute)} - OF_CENTRIFUGO
    channels = asyncapi.document()["channels"].values()
    assert there == {channel["address"] for channel in channels if channel["servers"] == [{"$ref": "#/servers/notifier"}]}
