"""Wires the processor: the only place where its parts are constructed."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import structlog

from quire_processor.cleaning import Cleaning
from quire_processor.confine import keep_secrets
from quire_processor.documents import Documents
from quire_processor.limits import Limits
from quire_processor.pipeline import Pipeline
from quire_processor.pool import WorkerPool
from quire_processor.prepare import prepared
from quire_processor.processor import Processor
from quire_processor.run import RunTerms
from quire_processor.settings import ProcessorSettings
from quire_processor.shares import Shares, Turns
from quire_processor.trial import read_a_page
from quire_runtime import logs, signals, tracing
from quire_runtime.clock import SystemClock
from quire_runtime.consumer import LogConsumer
from quire_runtime.guardian import board
from quire_runtime.logs import get_logger
from quire_runtime.metrics import watch_scratch
from quire_runtime.ops import OpsServer
from quire_runtime.publisher import Publisher
from quire_runtime.storage import ObjectStore

log = get_logger(__name__)

_SCRATCH = "quire-processor-"
_CLOSE_SECONDS = 2.0


def worker_name(settings: ProcessorSettings) -> str:
    """Returns the name of this process in events and logs."""
    return settings.worker_name or f"{socket.gethostname()}-{os.getpid()}"


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A context with a directory of our own under `parent`, which is removed at the end.

    Directories that killed processors have left there are removed first.
    """
    for left in parent.glob(f"{_SCRATCH}*/"):
        with contextlib.suppress(OSError):
            if left.lstat().st_uid == os.getuid():
                _clear(left)
    mine = Path(mkdtemp(prefix=_SCRATCH, dir=parent))
    with (mine / "taken").open("wb") as lock:
        flock(lock, LOCK_EX)
        (mine / "taken").rename(mine / "lock")  # `lock` is locked from its first moment: nobody takes us for dead
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)


def _clear(left: Path) -> None:
    """Removes a directory that a processor has left. Raises OSError where that processor still runs."""
    with (left / "lock").open("rb") as lock:
        flock(lock, LOCK_EX | LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)


async def serve(settings: ProcessorSettings) -> None:
    """Runs a processor until SIGTERM or SIGINT."""
    name = worker_name(settings)
    logs.setup(settings.log, "processor")
    board.restart(wanted=settings.restart)
    structlog.contextvars.bind_contextvars(worker=name)
    stop = signals.stop_event()
    keep_secrets()
    for variable in [variable for variable in os.environ if variable.startswith("QUIRE_")]:
        del os.environ[variable]  # read already; worker processes must not inherit credentials
    ops = OpsServer(settings.ops.host, settings.ops.port)
    async with asyncio.TaskGroup() as group, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(tracing.exporting(settings.traces, "processor"))
        group.create_task(ops.run())
        stack.callback(ops.stop)
        directory = stack.enter_context(scratch(settings.scratch_dir))
        watch_scratch(settings.scratch_dir)
        workers, store = _workers(settings, directory), ObjectStore(settings.s3)
        pool = await signals.unless(stop, _begun(settings, stack, workers, store, directory))
        if pool is None:
            return
        documents = await stack.enter_async_context(contextlib.aclosing(Documents(pool)))
        publisher = await stack.enter_async_context(Publisher(settings.kafka, f"quire-processor-{name}"))
        await _run(
            settings, name, stop, ops, store=store, documents=documents, publisher=publisher, workers=workers, directory=directory
        )


async def _begun(
    settings: ProcessorSettings, stack: contextlib.AsyncExitStack, workers: WorkerPool, store: ObjectStore, directory: Path
) -> asyncpg.Pool:
    """Returns the connection pool of the database, once all servers are prepared and a worker has read a page.

    Servers and worker are waited for at the same time, as each spends half a second waiting for other programs. Raises
    CannotServe.
    """

    async def connected() -> asyncpg.Pool:
        pool = await prepared(settings, await stack.enter_async_context(store))
        stack.push_async_callback(_close, pool)
        return pool

    async def reading() -> None:
        await read_a_page(await stack.enter_async_context(workers), directory)

    async with asyncio.TaskGroup() as group:
        group.create_task(reading())
        connecting = group.create_task(connected())
    return connecting.result()


async def _run(
    settings: ProcessorSettings,
    name: str,
    stop: asyncio.Event,
    ops: OpsServer,
    *,
    store: ObjectStore,
    documents: Documents,
    publisher: Publisher,
    workers: WorkerPool,
    directory: Path,
) -> None:
    clock = SystemClock()
    shares = Shares(clock)
    processor = Processor(
        publisher=publisher,
        pipeline=Pipeline(
            store=store,
            documents=documents,
            pool=workers,
            turns=Turns(settings.pool_size, shares),
            clock=clock,
            directory=directory,
            outage_limit=settings.outage_limit_seconds,
        ),
        documents=documents,
        cleaning=Cleaning(store, documents),
        clock=clock,
        terms=RunTerms(worker=name, heartbeat=settings.heartbeat_seconds, max_fruitless_runs=settings.max_fruitless_runs),
        shares=shares,
        places=settings.places,
        hand_over=settings.hand_over_seconds,
    )
    consumer = LogConsumer(settings.kafka, settings.group, processor, client=name)
    ops.checks = {
        "log": consumer.check,
        "publisher": publisher.check,
        "database": documents.check,
        "storage": store.check,
    }
    await processor.run(consumer, stop)


async def _close(pool: asyncpg.Pool) -> None:
    """Closes the pool; after _CLOSE_SECONDS, drops its connections: a server that is away must not keep the process alive."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def _workers(settings: ProcessorSettings, directory: Path) -> WorkerPool:
    limits = Limits(
        memory_bytes=settings.memory_limit_mib * 1024 * 1024,
        cpu_seconds=settings.cpu_limit_seconds,
        wall_seconds=settings.wall_limit_seconds,
        pages=settings.max_pages,
        characters=settings.max_characters,
        files_per_worker=settings.files_per_worker,
        pictures=settings.thumbnails == "on",
    )
    return WorkerPool(settings.pool_size, limits, directory, settings.outage_limit_seconds, settings.sandbox)
