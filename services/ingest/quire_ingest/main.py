"""Wires ingest: the only place where its parts are constructed."""

import asyncio
from contextlib import AsyncExitStack

import httpx

from quire_ingest.app import Api
from quire_ingest.body import BodyLimits
from quire_ingest.commands import Commands
from quire_ingest.malloc import return_large_blocks
from quire_ingest.prepare import prepared
from quire_ingest.request_commands import RequestCommands
from quire_ingest.segments import Memory
from quire_ingest.settings import IngestSettings
from quire_ingest.standings import Standings
from quire_ingest.submission import CLEAN_UP_SECONDS, UploadParts
from quire_ingest.uploads import UploadTerms
from quire_runtime import files, logs, signals, tracing
from quire_runtime.auth import Authenticator
from quire_runtime.clock import SystemClock
from quire_runtime.http_server import HttpServer
from quire_runtime.logs import get_logger
from quire_runtime.metrics import watch_scratch
from quire_runtime.ops import OpsServer
from quire_runtime.publisher import Publisher
from quire_runtime.storage import ObjectStore
from quire_runtime.upload_settings import MIB

log = get_logger(__name__)

NOTIFIER_SECONDS = 5.0


async def serve(settings: IngestSettings) -> None:
    """Serves until SIGTERM or SIGINT. Requests under way then have `shutdown_seconds` to end."""
    return_large_blocks()
    logs.setup(settings.log, "ingest")
    files.raise_limit()
    stop = signals.stop_event()
    watch_scratch(settings.scratch_dir)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(tracing.exporting(settings.traces, "ingest"))
        store = await stack.enter_async_context(ObjectStore(settings.s3))
        publisher = await stack.enter_async_context(Publisher(settings.kafka, "quire-ingest"))
        notifier = await stack.enter_async_context(
            httpx.AsyncClient(base_url=settings.notifier_url, timeout=NOTIFIER_SECONDS, trust_env=False)
        )
        authenticator = Authenticator(settings.auth)
        stack.push_async_callback(authenticator.aclose)
        api = _api(settings, store, publisher, notifier, authenticator)
        http = HttpServer(api.app(), settings.http, graceful=settings.shutdown_seconds)
        ops = OpsServer(settings.ops.host, settings.ops.port)
        log.info("listening", url=f"http://{settings.http.host}:{http.port}", connections=http.places.most)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(ops.run())
            serving = group.create_task(http.run())
            preparing = group.create_task(_prepare(settings, store, publisher, ops))
            await signals.until(stop, looking, serving)
            preparing.cancel()
            ops.draining = True
            http.stop()
            await serving
            await api.idle(CLEAN_UP_SECONDS)
            ops.stop()


@signals.never_silent
async def _prepare(settings: IngestSettings, store: ObjectStore, publisher: Publisher, ops: OpsServer) -> None:
    """Waits for the topic and the bucket; ingest is not ready before."""
    await prepared(settings, store)
    ops.checks = {"log": publisher.check, "storage": store.check}


def _api(
    settings: IngestSettings,
    store: ObjectStore,
    publisher: Publisher,
    notifier: httpx.AsyncClient,
    authenticator: Authenticator,
) -> Api:
    clock = SystemClock()
    standings = Standings(notifier, clock)
    commands = Commands(standings, publisher, clock)
    return Api(
        UploadParts(
            store=store,
            publisher=publisher,
            clock=clock,
            terms=UploadTerms(
                at_once=settings.uploads_at_once,
                sends=asyncio.Semaphore(settings.sends_at_once),
                patience=settings.storage_patience_seconds,
                memory=Memory(settings.buffer_mib * MIB),
                directory=settings.scratch_dir,
            ),
            batch_size=settings.batch_size,
            max_file_bytes=settings.max_file_mib * MIB,
        ),
        (commands, RequestCommands(standings, commands)),
        authenticator,
        BodyLimits(
            request_bytes=settings.max_request_mib * MIB,
            files=settings.max_files,
            idle_seconds=settings.idle_timeout_seconds,
            bytes_per_second=settings.min_bytes_per_second,
            command_bytes=settings.max_command_kib * 1024,
            command_seconds=settings.command_timeout_seconds,
        ),
        settings.origins,
    )
