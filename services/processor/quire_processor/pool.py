"""Worker processes that can be killed: the parent's side (DESIGN §4).

Each worker has a pipe of its own and one file at a time. What hangs is killed at the wall limit, what dies costs its
file one retry on a fresh worker, and what answers nonsense is treated as dead. Nothing big crosses the pipe.
"""

import asyncio
import contextlib
import functools
import multiprocessing
import os
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from quire_processor import worker
from quire_processor.extract import OnPage
from quire_processor.limits import Limits
from quire_processor.metrics import WORKER_KILLS, WORKERS, WORKERS_LIMIT
from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_schemas.events import FileCode

_PRELOAD = ["quire_processor.worker"]
_START_WITHIN = 15.0  # seconds for a worker process to be there
_REAP_WITHIN = 2.0  # seconds for a killed process to be gone
_DESCRIPTORS = "/proc/self/fd"
_LONGEST_DIRECTORY = 60  # bytes: what multiprocessing appends takes some 30
log = get_logger(__name__)


class ExtractionFailed(Exception):
    """The file cannot be processed: `code` for programs, the message for its owner."""

    def __init__(self, code: FileCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class CannotStart(OSError):
    """No worker process can be started on this machine just now."""


class WorkerDied(Exception):
    """The worker is gone, or not to be believed any more."""


class Extracted(Struct, frozen=True, kw_only=True):
    """What came of a file, and where its results lie."""

    page_count: int
    title: str | None
    metadata: dict[str, str]
    truncated: bool
    characters: int
    text_path: Path
    pages_path: Path
    thumbnail_path: Path | None


class WorkerPool:
    """`size` workers at most, started as they are needed. They write below `directory` only. A file waits for `patience` seconds
    where none can be started.
    """

    def __init__(self, size: int, limits: Limits, directory: Path, patience: float = 600.0) -> None:
        self.size = size
        self._patience = patience
        self._directory = directory
        self._limits = limits
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._free = asyncio.Semaphore(size)
        self._starts = ThreadPoolExecutor(size, "starts a worker")  # one that hangs must not take threads from others' work
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        WORKERS.labels("busy").set_function(lambda: len(self._busy))
        WORKERS.labels("idle").set_function(lambda: len(self._idle))
        WORKERS_LIMIT.set(size)

    async def __aenter__(self) -> Self:
        _ensure_forkserver()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def extract(self, source: Path, target: Path, on_page: OnPage | None = None) -> Extracted:
        """Extract `source` into the empty directory `target`; raises ExtractionFailed. Cancelling kills the worker."""
        async with self._free:
            try:
                return await self._once(source, target, on_page)
            except WorkerDied as error:
                log.warning("worker died, the file is read once more", error=str(error))
            await asyncio.to_thread(_empty, target)
            try:
                return await self._once(source, target, on_page, fresh=True)
            except WorkerDied as error:
                log.warning("worker died again, the file fails", error=str(error))
                message = "The PDF library crashed on this file, twice. Save the file anew with a PDF program and upload that."
                raise ExtractionFailed("worker_crashed", message) from error

    async def aclose(self) -> None:
        """Kill and reap every worker."""
        workers, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(one.kill() for one in workers))
        self._starts.shutdown(wait=False, cancel_futures=True)

    async def _once(self, source: Path, target: Path, on_page: OnPage | None, *, fresh: bool = False) -> Extracted:
        one = await self._take(fresh=fresh)
        self._busy.add(one)
        sound = False
        try:
            extracted = await self._answer(one, source, target, on_page)
        except ExtractionFailed as error:
            sound = error.code not in ("timeout", "out_of_memory")
            raise
        except asyncio.CancelledError:
            WORKER_KILLS.labels("cancelled").inc()
            raise
        else:
            sound = True
            return extracted
        finally:
            self._busy.discard(one)
            if sound and one.served < self._limits.files_per_worker:
                self._idle.append(one)
            else:
                await asyncio.shield(one.kill())

    async def _take(self, *, fresh: bool) -> "_Worker":
        while self._idle and not fresh:
            one = self._idle.pop()
            if one.alive:
                return one
            WORKER_KILLS.labels("idle").inc()
            await one.kill()
        return await retrying(
            lambda: _Worker.start(self._context, self._starts, self._limits, self._directory),
            transient=lambda error: isinstance(error, CannotStart),
            give_up_after=self._patience,
            on_retry=lambda error, attempt: log.warning("worker not started", error=str(error), attempt=attempt),
        )

    async def _answer(self, one: "_Worker", source: Path, target: Path, on_page: OnPage | None) -> Extracted:
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                answer = await one.ask(source, target, on_page or _nobody)
        except TimeoutError as error:
            WORKER_KILLS.labels("timeout").inc()
            log.warning("worker killed for time", seconds=self._limits.wall_seconds)
            message = f"The file took longer than {self._limits.wall_seconds:g} s. Simplify or split it, and upload that."
            raise ExtractionFailed("timeout", message) from error
        except WorkerDied:
            WORKER_KILLS.labels("died").inc()
            raise
        if isinstance(answer, worker.Failed):
            if answer.code == "out_of_memory":
                WORKER_KILLS.labels("out_of_memory").inc()
                log.warning("worker killed for memory", mib=self._limits.memory_bytes // 2**20)
            raise ExtractionFailed(answer.code, answer.message)
        reading = answer.reading
        return Extracted(
            page_count=reading.page_count,
            title=reading.title,
            metadata=reading.metadata,
            truncated=reading.truncated,
            characters=reading.characters,
            text_path=target / "text.json",
            pages_path=target / "pages.tsv",
            thumbnail_path=target / "thumbnail.webp" if reading.thumbnail else None,
        )


class _Worker:
    def __init__(self, process: ForkServerProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._decode: Callable[[bytes], worker.Answer] = msgspec.json.Decoder(worker.Answer).decode
        self.served = 0
        self._ended = False

    @classmethod
    async def start(cls, context: ForkServerContext, starts: Executor, limits: Limits, directory: Path) -> "_Worker":
        ours, theirs = socket.socketpair()
        process = context.Process(target=worker.main, args=(theirs, limits, directory), daemon=True)
        try:
            _ensure_forkserver()
            async with asyncio.timeout(_START_WITHIN):
                await asyncio.get_running_loop().run_in_executor(starts, process.start)
        except (OSError, EOFError) as error:  # no memory, no files; or the process that forks them has just died
            ours.close()
            raise CannotStart(f"no worker process can be started: {error!r}") from error
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    @property
    def alive(self) -> bool:
        return self._process.is_alive() and not self._reader.at_eof()

    async def ask(self, source: Path, target: Path, on_page: OnPage) -> worker.Done | worker.Failed:
        """The answer to one file; raises WorkerDied where the worker does not give a proper one."""
        self.served += 1
        body = msgspec.json.encode(worker.Request(self.served, str(source), str(target)))
        try:
            self._writer.write(struct.pack(">I", len(body)) + body)
            await self._writer.drain()
            while True:
                answer = await self._next()
                if answer.number != self.served:
                    raise WorkerDied("it answered for another file")
                if not isinstance(answer, worker.Page):
                    return answer
                on_page(answer.page, answer.pages)
        except (OSError, EOFError) as error:
            raise WorkerDied(f"its pipe broke: {error!r}") from error

    async def _next(self) -> worker.Answer:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        if length > worker.MAX_FRAME:
            raise WorkerDied(f"it sent a frame of {length} bytes")
        try:
            return self._decode(await self._reader.readexactly(length))
        except msgspec.DecodeError as error:
            raise WorkerDied(f"it sent nonsense: {error}") from error

    async def kill(self) -> None:
        """End and reap the process, close the pipe; once."""
        if self._ended:
            return
        self._ended = True
        self._process.kill()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        await asyncio.to_thread(self._process.join, _REAP_WITHIN)
        if self._process.exitcode is not None:
            self._process.close()


def _ensure_forkserver() -> None:
    """The process that forks the workers, started again where it has died."""
    with _without_secrets(), _short_socket_paths():
        ensure_running()


@contextlib.contextmanager
def _short_socket_paths() -> Iterator[None]:
    """A socket's path has 107 bytes at most, and multiprocessing makes one where temporary files are. We alone use it: so it may
    begin with our descriptor of that directory.
    """
    directory = tempfile.gettempdir()
    if len(os.fsencode(directory)) <= _LONGEST_DIRECTORY or not Path(_DESCRIPTORS).is_dir():
        yield
        return
    tempfile.tempdir = f"{_DESCRIPTORS}/{_descriptor(directory)}"
    try:
        yield
    finally:
        tempfile.tempdir = directory


@functools.cache
def _descriptor(directory: str) -> int:
    """Stays open: every start of a worker goes by it."""
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)


@contextlib.contextmanager
def _without_secrets() -> Iterator[None]:
    """What is started inside inherits no credentials of the libraries that this process uses."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("QUIRE_", "AWS_", "PG", "OTEL_"))}
    try:
        yield
    finally:
        os.environ.update(kept)


def _empty(directory: Path) -> None:
    for left in directory.iterdir():
        left.unlink()


def _nobody(_page: int, _pages: int) -> None:
    """Nobody looks."""
