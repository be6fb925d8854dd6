"""Starts one process of the stack, waits for its end and stops it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quire_local.errors import PartFailed

LAUNCH = Path(__file__).with_name("launch.py")
TAIL_BYTES = 16_384
LOG_LIMIT_BYTES = 16 << 20


@dataclass
class Child:
    """A child process whose output goes to a log file, and that ends when this process ends, however it ends.

    The child has a session of its own, so Ctrl-C in a terminal reaches only this process, which stops the parts in order. Start
    the child from the thread that lives longest: Linux counts the death of the starting thread as the death of the parent.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    directory: Path | None = None
    user: tuple[int, int] = (-1, -1)
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    patience: float = 15.0
    """Seconds between `stop_signal` and SIGKILL."""

    _process: Process | None = None
    _log_start: int = 0

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def _started(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    async def start(self) -> None:
        self._turn_log_over()
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(self.orphan_signal)), *map(str, self.user)]
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *launch,
                *self.command,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                env=dict(self.environment),
                cwd=self.directory,
                start_new_session=True,
            )

    async def wait(self) -> int:
        """Waits for the end of the process, and kills what it has left running in its session. Returns the exit code, or minus
        the number of the signal that ended the process.
        """
        status = await self._started.wait()
        self._signal_group(signal.SIGKILL)
        return status

    async def stop(self) -> None:
        """Stops the process with `stop_signal`, then after `patience` seconds with SIGKILL. A suspended process (SIGSTOP) is
        continued, so that it receives the signal, too.
        """
        if not self.alive:
            return
        self.send(self.stop_signal)
        self.thaw()
        try:
            await asyncio.wait_for(self.wait(), self.patience)
        except TimeoutError:
            self._signal_group(signal.SIGKILL)
            await self.wait()

    def freeze(self) -> None:
        """Suspends the process and what it has started in its session (SIGSTOP)."""
        self._signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_group(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._started.send_signal(number)

    def last_lines(self, count: int = 15) -> list[str]:
        """Returns the last lines of the log, at most `count`, since the last start."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-count:]

    def failure(self) -> PartFailed:
        return PartFailed(self.name, ended(self._started.returncode or 0), self.log, self.last_lines())

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _turn_log_over(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_LIMIT_BYTES:
                self.log.replace(self.log.with_name(self.log.name + ".1"))


def ended(status: int) -> str:
    """Returns in words how a process ended."""
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was killed by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"was killed by signal {-status}"
