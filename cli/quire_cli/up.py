"""`quire up`: runs the whole of Quire on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from quire_cli.errors import INTERRUPTED, NOT_ALL, USAGE, CliError
from quire_cli.services import tell_unknown
from quire_cli.target import DATA
from quire_local.errors import LocalError, WrongSettings
from quire_local.jars import Progress
from quire_local.ports import Ports
from quire_local.services import check
from quire_local.supervise import Options, Running
from quire_local.supervise import up as run

DOWNLOADING = "Downloading Kafka and S3Proxy, this once"


def up(
    data: Annotated[Path, typer.Option(help="Directory for all data, logs and stack.json.")] = DATA,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Empty the data directory first.")] = False,
    processors: Annotated[int, typer.Option(min=1, max=64, help="How many processors.")] = 1,
    port_offset: Annotated[
        int, typer.Option(help="Ports from 10000 + N on, for another stack beside the first: 100, 200, ….")
    ] = 0,
    samples: Annotated[
        Path | None, typer.Option(exists=True, help="Submit these PDFs when all is ready, the first time in this data directory.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start a service again that dies; without this, everything is stopped.")
    ] = False,
) -> None:
    """Run Kafka, Postgres, S3 and Quire's services here, until Ctrl-C.

    Exit code: 0 stopped as asked, 1 a part could not start, or died, 2 wrong arguments or settings.
    """
    try:
        ports = Ports.at(port_offset)
    except LocalError as error:
        raise CliError(str(error)) from None
    try:
        asyncio.run(serve(Options(data.resolve(), ports, processors, fresh=fresh, restart=restart), samples))
    except LocalError as error:
        typer.echo(f"quire up: {error}", err=True)
        raise typer.Exit(USAGE if isinstance(error, WrongSettings) else NOT_ALL) from None


async def serve(options: Options, samples: Path | None) -> None:
    """Runs the stack until SIGINT, SIGTERM or SIGHUP; returns when all is stopped. Raises LocalError when a part fails."""
    stop_on_signals()
    console = Console(highlight=False, markup=False, soft_wrap=True)

    async def greet(running: Running) -> None:
        console.print(welcome(running))
        if samples:
            await submit_once(running, samples)

    with suppress(asyncio.CancelledError), Download(console) as progress:
        tell_unknown(" ".join(await check(options.ports)))
        await run(options, console.print, progress, greet)


def stop_on_signals() -> None:
    """Makes the first signal cancel this task, which stops all parts in order. A second one ends the process and all parts."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop() -> None:
        if task is None or task.cancelling():
            os._exit(INTERRUPTED)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)


def welcome(running: Running) -> str:
    data, notifier, ingest = running.stack.data, running.addresses.notifier, running.addresses.ingest
    return (
        f"\nQuire is ready.\n  page and queries  {notifier}\n  submit to         {ingest}/api/documents/process\n"
        f"  addresses, pids   {data.stack_file}\n  logs              {data.logs}\nCtrl-C stops it; the data stays.\n"
    )


async def submit_once(running: Running, samples: Path) -> None:
    """Runs `quire submit` on the samples, once for each data directory. Its exit code 1 counts as done: a sample is corrupt."""
    done = running.stack.data.path / "samples-submitted"
    if done.exists():
        return
    command = [sys.executable, "-m", "quire_cli", "submit", str(samples)]
    here = {**os.environ, **running.addresses.environment, "QUIRE_URL": running.addresses.notifier}
    process = await asyncio.create_subprocess_exec(*command, env=here)
    try:
        if await process.wait() in (0, 1):
            done.touch()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


class Download(AbstractContextManager[Progress]):
    """Shows the progress of the first download: a bar on a terminal, a line for each tenth elsewhere; nothing without one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn(DOWNLOADING),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            transient=True,
        )
        self._bar = self._bars.add_task(DOWNLOADING)
        self._tenths = -1

    def __enter__(self) -> Progress:
        return self._show

    def __exit__(self, *_error: object) -> None:
        self._stop_bar()

    def _show(self, done: int, total: int) -> None:
        if self._console.is_terminal:
            self._bars.start()
            self._bars.update(self._bar, completed=done, total=total)
        elif (tenths := 10 * done // total) > self._tenths:
            self._console.print(f"{DOWNLOADING}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")
            self._tenths = tenths
        if done == total:
            self._stop_bar()

    def _stop_bar(self) -> None:
        if self._bars.live.is_started:
            self._bars.stop()
