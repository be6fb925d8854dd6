"""Worker processes that can be killed: the parent's side (DESIGN §4).

Each worker has a pipe of its own and one file at a time. What hangs is killed (`patience`), what dies costs its file one retry
on a fresh worker, and what answers nonsense is treated as dead. Once the text is there, only the picture is lost by that.
Nothing big crosses the pipe.
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

from quire_processor import results, worker
from quire_processor.confine import Lacking, Sandbox
from quire_processor.environment import without_credentials
from quire_processor.extract import OnPage
from quire_processor.limits import Limits
from quire_processor.metrics import WORKER_KILLS, WORKERS, WORKERS_LIMIT
from quire_processor.notices import no_thumbnail
from quire_processor.patience import Overtime
from quire_processor.reading import Reading
from quire_processor.sandbox import NotConfined, report
from quire_processor.watch import Watch
from quire_processor.workbench import ResultLost, Workbench
from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_schemas.events import FileCode, Notice

_PRELOAD = ["quire_processor.forkserver", "quire_processor.worker"]
_START_WITHIN = 15.0  # seconds for a worker process to be there
_LOGGED = 4000  # characters of what a worker says in its last moment
_REAP_WITHIN = 2.0  # seconds for a killed process to be gone
_CRASHED = "The PDF library crashed on this file, twice. Save the file anew with a PDF program and upload that."
_TOO_MUCH_MEMORY = "The file needs more memory than there is for it. Simplify or split it, and upload that."
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
    """The worker is `gone`, or not to be believed any more. `for_memory`: it went for lack of memory, as far as can be told."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone
        self.for_memory = False


class Extracted(Struct, frozen=True, kw_only=True):
    """What came of a file, and where its results lie."""

    page_count: int
    title: str | None
    metadata: dict[str, str]
    truncated: bool
    pages_read: int
    characters: int
    notices: tuple[Notice, ...]
    text_path: Path
    pages_path: Path
    thumbnail_path: Path | None


class WorkerPool:
    """`size` workers at most, started as they are needed, each with a directory of its own below `directory`. A file waits for
    `patience` seconds where none can be started.
    """

    def __init__(self, size: int, limits: Limits, directory: Path, patience: float = 600.0, sandbox: Sandbox = "prefer") -> None:
        self.size = size
        self._patience = patience
        self._sandbox = sandbox
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
        """Starts a first worker, to see how it is confined; raises NotConfined."""
        one = await self._started()
        self._idle.append(one)
        report(one.lacking)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def extract(self, source: Path, target: Path, on_page: OnPage | None = None) -> Extracted:
        """Extract `source` into the empty directory `target`; raises ExtractionFailed. Cancelling kills the worker."""
        async with self._free:
            try:
                return await self._once(source, target, on_page)
            except WorkerDied as error:
                log.warning("worker died, the file is read once more", error=str(error)[-_LOGGED:])
            await asyncio.to_thread(_empty, target)
            try:
                return await self._once(source, target, on_page, again=True)
            except WorkerDied as error:
                log.warning("worker died again, the file fails", error=str(error)[-_LOGGED:], for_memory=error.for_memory)
                code: FileCode = "out_of_memory" if error.for_memory else "worker_crashed"
                raise ExtractionFailed(code, _TOO_MUCH_MEMORY if error.for_memory else _CRASHED) from error

    async def aclose(self) -> None:
        """Kill and reap every worker."""
        workers, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(one.kill() for one in workers))
        self._starts.shutdown(wait=False, cancel_futures=True)

    async def _once(self, source: Path, target: Path, on_page: OnPage | None, *, again: bool = False) -> Extracted:
        one = await self._take(fresh=again)
        self._busy.add(one)
        sound = False
        try:
            extracted, sound = await self._answer(one, source, target, on_page, again=again)
        except ExtractionFailed as error:
            sound = error.code not in ("timeout", "out_of_memory")
            raise
        except asyncio.CancelledError:
            WORKER_KILLS.labels("cancelled").inc()
            raise
        else:
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
        return await self._started(NotConfined)

    async def _started(self, *also: type[Exception]) -> "_Worker":
        """A worker; tried again for `patience` seconds after CannotStart and `also`."""
        return await retrying(
            lambda: _Worker.start(self._context, self._starts, self._limits, self._directory, self._sandbox),
            transient=lambda error: isinstance(error, (CannotStart, *also)),
            give_up_after=self._patience,
            on_retry=lambda error, attempt: log.warning("worker not started", error=str(error), attempt=attempt),
        )

    async def _answer(
        self, one: "_Worker", source: Path, target: Path, on_page: OnPage | None, *, again: bool
    ) -> tuple[Extracted, bool]:
        """What came of the file, and whether the worker is fit for another one. Once the text is there, whatever else happens
        costs the picture only.
        """
        watch = Watch(one.pid, self._limits, closely=again)
        try:
            async with watch:
                answer = await one.ask(source, on_page or _nobody, watch)
        except TimeoutError as error:
            WORKER_KILLS.labels("timeout").inc()
            log.warning("worker killed for time", why=watch.overtime)
            if watch.reading is None:
                raise ExtractionFailed("timeout", self._took_too_long(watch.overtime)) from error
            return await self._extracted(one, watch.reading, target, "drawing it takes too long"), False
        except WorkerDied as error:
            error.for_memory = error.gone and watch.died_for_memory(await one.exit_code())
            WORKER_KILLS.labels("out_of_memory" if error.for_memory else "died").inc()
            if watch.reading is None:
                raise
            return await self._extracted(one, watch.reading, target, "the PDF library crashes on it"), False
        if isinstance(answer, worker.Done):
            return await self._extracted(one, answer.reading, target), True
        if answer.code == "out_of_memory":
            WORKER_KILLS.labels("out_of_memory").inc()
            log.warning("worker killed for memory", mib=self._limits.memory_bytes // 2**20)
        raise ExtractionFailed(answer.code, answer.message)

    def _took_too_long(self, overtime: Overtime | None) -> str:
        if overtime == "computing":
            return (
                f"The file takes more than {self._limits.killed_after:g} s of computing. Simplify or split it, and upload that."
            )
        return f"Reading the file came to a standstill for {self._limits.wall_seconds:g} s. Save it anew with a PDF program."

    async def _extracted(self, one: "_Worker", reading: Reading, target: Path, no_picture: str | None = None) -> Extracted:
        """Raises WorkerDied where what the worker has written cannot be believed."""

        def looked_at() -> tuple[Path, Path | None]:
            one.collect(target)
            return results.write_text(target, reading), results.picture(target) if reading.thumbnail else None

        try:
            text, picture = await asyncio.to_thread(looked_at)
        except results.Lie as error:
            raise WorkerDied(f"it is not to be believed: {error}") from error
        if reading.thumbnail and picture is None:
            no_picture = "it cannot be drawn"
        return Extracted(
            page_count=reading.page_count,
            title=reading.title,
            metadata=reading.metadata,
            truncated=reading.truncated,
            pages_read=reading.pages_read,
            characters=reading.characters,
            notices=reading.notices if no_picture is None else (*reading.notices, no_thumbnail(no_picture)),
            text_path=text,
            pages_path=target / "pages.tsv",
            thumbnail_path=picture,
        )


class _Worker:
    def __init__(
        self,
        process: ForkServerProcess,
        bench: Workbench,
        limits: Limits,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._bench = bench
        self._limits = limits
        self._reader = reader
        self._writer = writer
        self._decode: Callable[[bytes], worker.Answer] = msgspec.json.Decoder(worker.Answer).decode
        self.lacking: Lacking = {}
        self.served = 0
        self._ended = False

    @classmethod
    async def start(
        cls, context: ForkServerContext, starts: Executor, limits: Limits, directory: Path, sandbox: Sandbox
    ) -> "_Worker":
        """A process that is confined and waits for its first file; raises CannotStart or NotConfined."""
        try:
            bench = Workbench.make(directory)
        except OSError as error:
            raise CannotStart(f"no directory for a worker process: {error}") from error
        ours, theirs = socket.socketpair()
        process = context.Process(target=worker.main, args=(theirs, limits, bench.directory, sandbox), daemon=True)
        try:
            _ensure_forkserver()
            async with asyncio.timeout(_START_WITHIN):
                await asyncio.get_running_loop().run_in_executor(starts, process.start)
        except (OSError, EOFError) as error:  # no memory, no files; or the process that forks them has just ended
            ours.close()
            bench.remove()
            raise CannotStart(f"no worker process can be started: {error!r}") from error
        except BaseException:
            ours.close()
            bench.remove()
            raise
        finally:
            theirs.close()
        one = cls(process, bench, limits, *await asyncio.open_connection(sock=ours))
        try:
            async with asyncio.timeout(_START_WITHIN):
                one.lacking = await one._confined()
        except (OSError, EOFError, WorkerDied) as error:
            await one.kill()
            raise CannotStart(f"a worker process does not come up: {error!r}") from error
        except BaseException:
            await asyncio.shield(one.kill())
            raise
        if one.lacking and sandbox == "require":
            await one.kill()
            raise NotConfined(one.lacking)
        return one

    @property
    def alive(self) -> bool:
        return self._process.is_alive() and not self._reader.at_eof()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    async def ask(self, source: Path, on_page: OnPage, watch: Watch) -> worker.Done | worker.Failed:
        """The answer to one file, and meanwhile what is told to the watch; raises WorkerDied where it is not a proper one."""
        self.served += 1
        try:
            with self._bench.holding(source):
                return await self._told(on_page, watch)
        except (OSError, EOFError) as error:
            raise WorkerDied(f"its pipe broke: {error!r}", gone=True) from error

    def collect(self, target: Path) -> None:
        """Copy the results of the last file to `target`, out of the worker's reach; raises WorkerDied or OSError."""
        try:
            self._bench.copy_results(target)
        except ResultLost as error:
            raise WorkerDied(str(error)) from error

    async def _told(self, on_page: OnPage, watch: Watch) -> worker.Done | worker.Failed:
        request = worker.Request(self.served, str(self._bench.original), str(self._bench.directory))
        body = msgspec.json.encode(request)
        self._writer.write(struct.pack(">I", len(body)) + body)
        await self._writer.drain()
        while True:
            answer = await self._next()
            if isinstance(answer, worker.Done | worker.Failed):
                return answer
            if isinstance(answer, worker.Read):
                watch.reading = answer.reading
            elif isinstance(answer, worker.Page):
                watch.page = max(watch.page, answer.page)
                on_page(answer.page, answer.pages)

    async def _confined(self) -> Lacking:
        answer = await self._next()
        if not isinstance(answer, worker.Confined):
            raise WorkerDied(f"its first answer was {answer}")
        return answer.lacking

    async def _next(self) -> worker.Answer:
        try:
            answer = self._decode(await self._frame())
        except msgspec.DecodeError as error:
            raise WorkerDied(f"it sent nonsense: {error}") from error
        if isinstance(answer, worker.Broke):
            raise WorkerDied(answer.traceback)
        if answer.number != self.served:
            raise WorkerDied("it answered for another file")
        try:
            if isinstance(answer, worker.Read | worker.Done):
                results.check(answer.reading, self._limits)
            elif isinstance(answer, worker.Failed):
                results.check_message(answer.message)
        except results.Lie as error:
            raise WorkerDied(f"it is not to be believed: {error}") from error
        return answer

    async def _frame(self) -> bytes:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        if length > worker.MAX_FRAME:
            raise WorkerDied(f"it sent a frame of {length} bytes")
        return await self._reader.readexactly(length)

    async def exit_code(self) -> int | None:
        """How the process ended, if it did: the negative number of a signal that ended it. None where it still runs."""
        await asyncio.to_thread(self._process.join, _REAP_WITHIN)
        return self._process.exitcode

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
        await asyncio.to_thread(self._bench.remove)


def _ensure_forkserver() -> None:
    """The process that forks the workers, started again where it has died."""
    with without_credentials(), _short_socket_paths():
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


def _empty(directory: Path) -> None:
    for left in directory.iterdir():
        left.unlink()


def _nobody(_page: int, _pages: int) -> None:
    """Nobody looks."""
