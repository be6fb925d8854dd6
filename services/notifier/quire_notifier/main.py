"""Wires the notifier. Its parts are constructed only here."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

import asyncpg
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.routing import WebSocketRoute

from quire_notifier.indexing.indexer import Indexer
from quire_notifier.prepare import Pools, prepared
from quire_notifier.projecting.epochs import check_tables
from quire_notifier.projecting.follower import Follower
from quire_notifier.projecting.projection import Projection
from quire_notifier.projecting.pruning import Pruner
from quire_notifier.projecting.renewal import renew
from quire_notifier.projecting.unfinished import Unfinished
from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.feed import Feed
from quire_notifier.pushing.hub import Hub
from quire_notifier.settings import NotifierSettings
from quire_notifier.sockets.gateway import CENTRIFUGE, Gateway, SocketTerms
from quire_notifier.sockets.open_sockets import Sockets
from quire_notifier.sockets.wire import Wire
from quire_notifier.web.api import Api, Sources
from quire_notifier.web.contents import Contents
from quire_notifier.web.docs import docs_routes
from quire_notifier.web.exports import Exports
from quire_notifier.web.links import SignedLinks
from quire_notifier.web.page import directory, page_routes
from quire_notifier.web.queries import Queries
from quire_notifier.web.requests import Requests
from quire_notifier.web.search import Search
from quire_notifier.web.sse import Streams
from quire_runtime import files, logs, postgres, signals, tracing
from quire_runtime.auth import Authenticator
from quire_runtime.consumer import LogConsumer
from quire_runtime.guardian import board
from quire_runtime.http import cors, exception_handlers
from quire_runtime.http_server import HttpServer
from quire_runtime.logs import get_logger
from quire_runtime.middleware import KnownHosts
from quire_runtime.ops import OpsServer
from quire_runtime.settings import is_loopback
from quire_runtime.storage import ObjectStore
from quire_schemas.views import Config

log = get_logger(__name__)

MAX_MESSAGE_BYTES = 16 * 1024
"""Bytes of the longest message that a client may send. A longer one closes the WebSocket with code 1009."""
SPARE_CONNECTIONS = 3
"""Connections to the object store that are never used for contents and exports, so that slow readers cannot block the health
check and indexing.
"""
EXPORTS_SHARE = 4
"""One of this many of the other connections is for exports."""
PACKED = Middleware(
    GZipMiddleware,
    minimum_size=1000,
    compresslevel=4,
    exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/pdf", "application/jsonl", "text/csv"),
)
"""Compresses answers for clients that accept it. PDFs and pictures are compressed already; event streams and exports are
excluded too.
"""
SHUTDOWN_SECONDS = 3.0
"""Seconds that open HTTP requests have to end, after the WebSockets are closed."""


async def serve(settings: NotifierSettings) -> None:
    """Serves until SIGTERM or SIGINT, then closes the WebSockets and returns."""
    logs.setup(settings.log, "notifier")
    board.restart(wanted=settings.restart)
    files.raise_limit()
    stop = signals.stop_event()
    ops = OpsServer(settings.ops.host, settings.ops.port)
    async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
        await stack.enter_async_context(tracing.exporting(settings.traces, "notifier"))
        group.create_task(ops.run())
        stack.callback(ops.stop)
        pools = await signals.unless(stop, prepared(settings))
        if pools is not None:
            stack.callback(pools.terminate)
            store = await stack.enter_async_context(ObjectStore(settings.s3))
            authenticator = Authenticator(settings.auth)
            stack.push_async_callback(authenticator.aclose)
            await Notifier(settings, pools, store, authenticator, ops).run(stop)


class Notifier:
    """The parts of the notifier, and the order in which they start and stop."""

    def __init__(
        self, settings: NotifierSettings, pools: Pools, store: ObjectStore, authenticator: Authenticator, ops: OpsServer
    ) -> None:
        """Raises CannotListen."""
        links = SignedLinks(settings.link_key, settings.link_seconds)
        self._settings = settings
        self._authenticator = authenticator
        self._hub = Hub(Feed(pools.feed), settings.postgres.dsn)
        self._admission = Admission(settings)
        self._sockets = Sockets(self._admission)
        self._streams = Streams(self._hub, self._admission)
        self._follower = Follower(
            pools.projection,
            lambda: _consumer(settings, pools.projection),
            lambda: renew(settings, pools.projection),
        )
        self._pruner = Pruner(pools.projection, settings.retention_seconds)
        self._unfinished = Unfinished(pools.projection)
        self._indexer = Indexer(pools.projection, store, settings.text_search)
        at_once = max(2, settings.s3.pool_size - SPARE_CONNECTIONS)
        exports = at_once // EXPORTS_SHARE or 1
        queries = Queries(pools.readers, links)
        sources = Sources(
            queries,
            Requests(pools.readers, queries),
            Search(pools.readers, queries, links, settings.text_search),
            Feed(pools.readers),
            Contents(store, at_once - exports),
            Exports(pools.readers, queries, store, links, exports),
            self._streams,
            self._hub,
        )
        self._http = HttpServer(
            self._app(sources, links),
            settings.http,
            ws=partial(Wire, frames_per_second=settings.max_frames),
            graceful=SHUTDOWN_SECONDS,
            trusted_proxies=settings.trusted_proxies,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=settings.ping_seconds,
            ws_ping_timeout=settings.ping_seconds,
        )
        self._ops = ops
        ops.checks = {
            "log": self._follower.check_log,
            "upgrade": self._follower.check_upgrade,
            "database": partial(check_tables, pools.projection),
            "storage": store.check,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all parts until `stop`, then closes the clients' connections."""
        gone = asyncio.Event()
        log.info("listening", url=f"http://{self._settings.http.host}:{self._http.port}", connections=self._http.places.most)
        async with asyncio.TaskGroup() as group:
            hub = group.create_task(self._hub.run(gone))
            serving = group.create_task(self._http.run())
            following = group.create_task(self._follower.run(stop))
            beside = [group.create_task(part.run(stop)) for part in (self._pruner, self._unfinished, self._indexer)]
            await signals.until(stop, hub, serving, following, *beside)
            self._ops.draining = True
            await self._sockets.drain(self._settings.drain_seconds)
            self._streams.drain()
            self._http.stop()
            await serving
            gone.set()

    def _app(self, sources: Sources, links: SignedLinks) -> Starlette:
        settings, authenticator = self._settings, self._authenticator
        config = Config(
            ingest_url=settings.ingest_url,
            auth=settings.auth.mode,
            batch_size=settings.batch_size,
            limits=settings.upload_limits,
        )
        terms = SocketTerms(
            origins=frozenset(settings.page_origins),
            authenticate_seconds=settings.authenticate_seconds,
            max_subscriptions=settings.max_subscriptions,
            ping_seconds=settings.ping_seconds,
            open_to_all=settings.auth.mode == "none",
        )
        api = Api(sources, authenticator, links, config)
        gateway = Gateway(self._hub, self._sockets, self._admission, authenticator, terms)
        return Starlette(
            routes=[
                *api.routes(),
                WebSocketRoute("/ws", gateway),
                WebSocketRoute(CENTRIFUGE, gateway),
                *docs_routes(),
                *page_routes(settings.ingest_url, directory()),
            ],
            middleware=[*_known_hosts(settings), cors(settings.page_origins), PACKED],
            exception_handlers=exception_handlers(),
        )


def _known_hosts(settings: NotifierSettings) -> list[Middleware]:
    """Returns the check of the Host header for a notifier on loopback without authentication. It keeps pages of other hosts
    from reading data through a browser on this machine.
    """
    if settings.auth.mode != "none" or not is_loopback(settings.http.host):
        return []
    return [Middleware(KnownHosts, more=[urlsplit(origin).hostname or "" for origin in settings.page_origins])]


def _consumer(settings: NotifierSettings, pool: asyncpg.Pool) -> LogConsumer:
    projection = Projection(pool, lambda partitions: consumer.begin_offsets(partitions))  # noqa: PLW0108 -- `consumer` is assigned below
    consumer = LogConsumer(
        settings.kafka, settings.group, projection, max_records=settings.poll_records, transient=postgres.is_transient
    )
    return consumer
