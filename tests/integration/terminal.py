"""A program on a terminal of its own, as a person has it: what it shows, what is typed, Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

PATIENCE_SECONDS = 40.0
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")
LAUNCH = "import os, sys; os.close(os.open(sys.argv[1], os.O_RDWR)); os.execv(sys.argv[2], sys.argv[2:])"
"""The first terminal that the leader of a session opens becomes its own: Ctrl-C goes there, and /dev/tty is it."""


class Terminal:
    """`shown` is all that was printed, without colours and movements; `raw` with them."""

    def __init__(self, process: asyncio.subprocess.Process, ours: int) -> None:
        self._process = process
        self._ours = ours
        self.raw = ""

    @property
    def shown(self) -> str:
        return ESCAPES.sub("", self.raw).replace("\r", "")

    def read(self) -> None:
        try:
            self.raw += os.read(self._ours, 65_536).decode(errors="replace")
        except OSError:  # the program has closed its side
            asyncio.get_running_loop().remove_reader(self._ours)

    async def until(self, text: str, after: int = 0) -> None:
        """Until the text was shown, behind so many characters."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while text not in self.shown[after:]:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{text!r} was not shown, but: {self.shown[-2_000:]}") from None

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def press_ctrl_c(self) -> None:
        self.type("\x03")

    async def ended(self) -> int:
        """The exit code; all that was printed has been read."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"it did not end, but showed: {self.shown[-2_000:]}") from None
        await asyncio.sleep(0.05)
        return code


@asynccontextmanager
async def terminal(
    command: Sequence[str], environment: Mapping[str, str], *, piped: bytes | None = None
) -> AsyncIterator[Terminal]:
    """Runs the command on a terminal of 110 columns; `piped` comes on standard input in place of what is typed."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 110))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LAUNCH, os.ttyname(theirs), *command),
        stdin=theirs if piped is None else subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    if piped is not None and process.stdin is not None:
        process.stdin.write(piped)
        process.stdin.close()
    shown = Terminal(process, ours)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, shown.read)
    try:
        yield shown
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        loop.remove_reader(ours)
        os.close(ours)
