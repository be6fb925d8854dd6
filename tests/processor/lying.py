"""A worker that a file has taken over: it does what the file says. See test_liars."""

import json
import mmap
import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from quire_processor import worker

READING = {
    "page_count": 1,
    "rows": 1,
    "pages_read": 1,
    "characters": 1,
    "truncated": False,
    "title": "t",
    "metadata": {},
    "notices": [],
}
NOTICE = {"code": "xfa", "message": "m"}


class Liar:
    def __init__(self, pipe: socket.socket, number: int, rows: Path) -> None:
        self._pipe = pipe
        self._number = number
        self._rows = rows
        self.rows(b"1\tx\n")

    def rows(self, content: bytes) -> None:
        self._rows.unlink(missing_ok=True)
        self._rows.write_bytes(content)

    def no_rows(self) -> None:
        self._rows.unlink()

    def linked_rows(self) -> None:
        self._rows.unlink()
        self._rows.symlink_to("/etc/hostname")

    def waiting_rows(self) -> None:
        self._rows.unlink()
        os.mkfifo(self._rows)

    def say(self, kind: str, **what: Any) -> None:
        self.send(json.dumps({"type": kind, "number": self._number} | what).encode())

    def read(self, **what: Any) -> None:
        self.say("read", reading=READING | what)

    def read_short(self, rows: bytes, size: int | None = None) -> None:
        """The rows follow."""
        self.say("read", reading=READING, size=len(rows) if size is None else size)
        self._pipe.sendall(rows)

    def done(self, **what: Any) -> None:
        self.say("done", reading=READING | what)

    def failed(self, code: str, message: str = "m") -> None:
        self.say("failed", code=code, message=message)

    def send(self, body: bytes) -> None:
        self._pipe.sendall(struct.pack(">I", len(body)) + body)

    def begin(self, size: int) -> None:
        self._pipe.sendall(struct.pack(">I", size))

    def end(self, number: int) -> None:
        os.kill(os.getpid(), number)

    def end_with_memory(self, number: int, size: int) -> None:
        mapped = mmap.mmap(-1, size)
        time.sleep(0.2)  # until it has been looked at
        mapped.close()
        self.end(number)

    def compute(self) -> None:
        while True:
            pass

    def sleep(self) -> None:
        time.sleep(60)


DEEDS: dict[str, Callable[[Liar], Any]] = {
    "no pages": lambda liar: liar.done(page_count=-5),
    "pages beyond an integer": lambda liar: liar.done(page_count=2**70),
    "more pages read than there are": lambda liar: liar.done(pages_read=2),
    "more rows than pages": lambda liar: liar.done(rows=2),
    "characters beyond the limit": lambda liar: liar.done(characters=2**40),
    "a long title": lambda liar: liar.done(title="t" * 100_000),
    "a title with NUL": lambda liar: liar.done(title="a\0b"),
    "a title that is no Unicode": lambda liar: liar.done(title="\ud800"),
    "long metadata": lambda liar: liar.done(metadata={"k": "v" * 100_000}),
    "much metadata": lambda liar: liar.done(metadata={f"k{number}": "v" for number in range(5_000)}),
    "metadata with NUL": lambda liar: liar.done(metadata={"k": "a\0"}),
    "an unknown notice": lambda liar: liar.done(notices=[NOTICE | {"code": "hello"}]),
    "a notice twice": lambda liar: liar.done(notices=[NOTICE, NOTICE]),
    "a notice with NUL": lambda liar: liar.done(notices=[NOTICE | {"message": "\0"}]),
    "rows that are missing": lambda liar: (liar.no_rows(), liar.done()),
    "rows that are a link": lambda liar: (liar.linked_rows(), liar.done()),
    "rows that wait": lambda liar: (liar.waiting_rows(), liar.done()),
    "rows of another page": lambda liar: (liar.rows(b"-5\tx\n"), liar.done()),
    "rows that repeat": lambda liar: (liar.rows(b"1\tx\n1\tx\n"), liar.done(rows=2, page_count=2)),
    "rows with another column": lambda liar: (liar.rows(b"1\tx\ty\n"), liar.done(characters=3)),
    "rows that end the table": lambda liar: (liar.rows(b"1\tx\n\\.\n"), liar.done()),
    "rows with NUL": lambda liar: (liar.rows(b"1\t\0\n"), liar.done()),
    "rows that are no UTF-8": lambda liar: (liar.rows(b"1\t\xff\n"), liar.done()),
    "rows with an escape": lambda liar: (liar.rows(b"1\t\\x00\n"), liar.done(characters=4)),
    "rows with a forged line": lambda liar: (liar.rows(b"1\tx\r2\ty\n"), liar.done()),
    "more text than it says": lambda liar: (liar.rows(b"1\t" + b"x" * 100_000 + b"\n"), liar.done()),
    "short rows of another page": lambda liar: (liar.read_short(b"-5\tx\n"), liar.done()),
    "short rows of more text than it says": lambda liar: (liar.read_short(b"1\t" + b"x" * 50_000 + b"\n"), liar.done()),
    "short rows of 4 GB": lambda liar: (liar.read_short(b"", size=2**32), liar.sleep()),
    "short rows of less than nothing": lambda liar: (liar.read_short(b"", size=-1), liar.sleep()),
    "short rows that do not come": lambda liar: (liar.read_short(b"1", size=4), liar.sleep()),
    "short rows that break off": lambda liar: (liar.read_short(b"1", size=4), liar.end(signal.SIGSEGV)),
    "short rows that are the truth": lambda liar: (liar.read_short(b"1\tx\n"), liar.done()),
    "a picture of 4 GB": lambda liar: (liar.read_short(b"1\tx\n"), liar.say("done", reading=READING, size=2**32)),
    "an unknown code": lambda liar: liar.failed("hello"),
    "a code that is not its own": lambda liar: liar.failed("batch_failed"),
    "a long message": lambda liar: liar.failed("corrupt", "m" * 100_000),
    "a message with NUL": lambda liar: liar.failed("corrupt", "a\0b"),
    "a page before the first": lambda liar: liar.say("page", page=-5, pages=1),
    "a page beyond an integer": lambda liar: liar.say("page", page=2**70, pages=1),
    "another file's answer": lambda liar: liar.say("done", number=99, reading=READING),
    "nonsense": lambda liar: liar.send(b"nonsense"),
    "deep nonsense": lambda liar: liar.send(b"[" * 100_000),
    "an answer of 4 GB": lambda liar: (liar.begin(2**32 - 1), liar.sleep()),
    "nothing, at length": lambda liar: liar.send(b""),
    "a crash": lambda liar: liar.end(signal.SIGSEGV),
    "a crash after the text": lambda liar: (liar.read(), liar.end(signal.SIGSEGV)),
    "computing after the text": lambda liar: (liar.read(), liar.compute()),
    "computing": Liar.compute,
    "standing still": Liar.sleep,
    "a picture that is none": lambda liar: liar.done(thumbnail=True),
    "giving up for memory": lambda liar: liar.end_with_memory(signal.SIGABRT, 400 * 1024**2),
    "killed": lambda liar: liar.end(signal.SIGKILL),
    "the truth": Liar.done,
}


def main(pipe: socket.socket, _limits: Any, directory: Path, *_: Any) -> None:
    """Stands for `quire_processor.spawning.work`."""
    worker._send(pipe, worker.Confined({}))
    while (frame := worker._receive(pipe)) is not None:
        request = msgspec.json.decode(frame, type=worker.Request)
        assert request.size is not None
        deed = pipe.recv(request.size, socket.MSG_WAITALL).decode()
        DEEDS[deed](Liar(pipe, request.number, directory / "pages.tsv"))
