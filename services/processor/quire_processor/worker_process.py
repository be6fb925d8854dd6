"""One worker process, as the processor sees it: started, asked about one file at a time over its pipe, and killed.

No large file or text crosses the pipe, and every answer is checked before it is believed.
"""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from concurrent.futures import Executor
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import msgspec

from quire_processor import answers, results, spawning
from quire_processor.confine import Lacking, Sandbox
from quire_processor.limits import Limits
from quire_processor.reading import OnPage, Reading
from quire_processor.sandbox import NotConfined
from quire_processor.watch import Watch
from quire_processor.workbench import RowsLost, Workbench
from quire_processor.workplace import Workplace

_START_WITHIN = 15.0  # seconds for a worker process to start
_REAP_WITHIN = 2.0  # seconds for a killed process to be gone


class CannotStart(OSError):
    """No worker process can be started on this machine just now."""


class WorkerDied(Exception):
    """The worker is `gone`, or cannot be believed any more.

    `for_memory` says that it died for lack of memory, as far as this can be known.
    """

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone
        self.for_memory = False


class WorkerProcess:
    """A worker, its pipe and its workbench. `served` is the number of files that it was given."""

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
        self._decode: Callable[[bytes], answers.Answer] = msgspec.json.Decoder(answers.Answer).decode
        self.lacking: Lacking = {}
        self.served = 0
        self._text: bytes | None = None
        self._picture = b""
        self._ended = False

    @classmethod
    async def start(
        cls, context: ForkServerContext, starts: Executor, limits: Limits, directory: Path, sandbox: Sandbox
    ) -> "WorkerProcess":
        """Starts a process that is confined and waits for its first file. Raises CannotStart or NotConfined."""
        try:
            bench = Workbench.make(directory)
        except OSError as error:
            raise CannotStart(f"no directory for a worker process: {error}") from error
        ours, theirs = socket.socketpair()
        process = context.Process(target=spawning.work, args=(theirs, limits, bench.directory, sandbox), daemon=True)
        try:
            spawning.ensure_forkserver()
            async with asyncio.timeout(_START_WITHIN):
                await asyncio.get_running_loop().run_in_executor(starts, process.start)
        except (OSError, EOFError) as error:  # no memory or descriptors are left, or the forking process has just ended
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

    async def ask(self, source: bytes | Path, on_page: OnPage, watch: Watch) -> answers.Done | answers.Failed:
        """Has a file read and returns the last answer. `watch` is told the progress meanwhile.

        Raises WorkerDied where there is no proper answer, and OSError where the disk is full.
        """
        self.served += 1
        self._text, self._picture = None, b""
        try:
            self._bench.clear()
            if isinstance(source, bytes):
                return await self._told(source, on_page, watch)
            with self._bench.holding(source):
                return await self._told(None, on_page, watch)
        except RowsLost as error:
            raise WorkerDied(f"it is not to be believed: {error}") from error
        except (OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise WorkerDied(f"its pipe broke: {error!r}", gone=True) from error

    async def results(self, reading: Reading, place: Workplace) -> tuple[tuple[str, ...] | Path, bytes | Path, bytes | None]:
        """Returns the pages, `text.json` and the picture of the last file, in copies that the worker cannot reach.

        Raises WorkerDied where they cannot be believed, and OSError where the disk is full.
        """
        try:
            pages, text = await results.pages_and_text(self._text, self._bench, reading, place)
            self._bench.clear()
        except (RowsLost, results.Lie) as error:
            raise WorkerDied(f"it is not to be believed: {error}") from error
        return pages, text, results.picture(self._picture) if reading.thumbnail else None

    async def _told(self, small: bytes | None, on_page: OnPage, watch: Watch) -> answers.Done | answers.Failed:
        body = msgspec.json.encode(answers.Request(self.served, None if small is None else len(small)))
        self._writer.write(b"%b%b%b" % (struct.pack(">I", len(body)), body, small or b""))
        await self._writer.drain()
        while True:
            answer = await self._next()
            if isinstance(answer, answers.Done):
                self._picture = await self._reader.readexactly(answer.size)
            if isinstance(answer, answers.Done | answers.Failed):
                return answer
            if isinstance(answer, answers.Read):
                self._text = None if answer.size is None else await self._reader.readexactly(answer.size)
                watch.reading = answer.reading
            elif isinstance(answer, answers.Page):
                watch.page = max(watch.page, answer.page)
                on_page(answer.page, answer.pages)

    async def _confined(self) -> Lacking:
        answer = await self._next()
        if not isinstance(answer, answers.Confined):
            raise WorkerDied(f"its first answer was {answer}")
        return answer.lacking

    async def _next(self) -> answers.Answer:
        try:
            answer = self._decode(await self._frame())
        except msgspec.DecodeError as error:
            raise WorkerDied(f"it sent nonsense: {error}") from error
        if isinstance(answer, answers.Broke):
            raise WorkerDied(answer.traceback)
        if answer.number != self.served:
            raise WorkerDied("it answered for another file")
        try:
            if isinstance(answer, answers.Read | answers.Done):
                results.check(answer.reading, self._limits)
            elif isinstance(answer, answers.Failed):
                results.check_message(answer.message)
        except results.Lie as error:
            raise WorkerDied(f"it is not to be believed: {error}") from error
        return answer

    async def _frame(self) -> bytes:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        if length > answers.MAX_FRAME:
            raise WorkerDied(f"it sent a frame of {length} bytes")
        return await self._reader.readexactly(length)

    async def exit_code(self) -> int | None:
        """Returns the exit code of the process: minus the signal's number where a signal ended it, None where it still runs."""
        await asyncio.to_thread(self._process.join, _REAP_WITHIN)
        return self._process.exitcode

    async def kill(self) -> None:
        """Kills and reaps the process, closes the pipe, and removes the workbench. Does nothing the second time."""
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
