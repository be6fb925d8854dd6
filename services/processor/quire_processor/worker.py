"""Serves requests in a worker process. Only workers, and the process that forks them, import this: it loads the PDF libraries.

For each request, the worker sends reports of progress (Page), the reading once the text is there (Read), and one last answer:
Done, with the picture, or Failed.
"""

import errno
import logging
import socket
import struct
import time
import traceback
from pathlib import Path

import msgspec

from quire_processor import libraries
from quire_processor.answers import Answer, Broke, Confined, Done, Failed, Page, Read, Request
from quire_processor.confine import Sandbox, confine
from quire_processor.environment import has_credentials
from quire_processor.evidence import File
from quire_processor.extract import Refused, read
from quire_processor.limits import Limits
from quire_processor.reading import Reading
from quire_processor.rows import SpilledRows
from quire_processor.workbench import Workbench

_PROGRESS_EVERY = 0.5  # seconds
_TRACEBACK = 4000  # characters of a traceback's end that are sent


class BornWithCredentials(Exception):
    """This process has the environment of the processor, with its credentials: it takes no file."""


def main(pipe: socket.socket, limits: Limits, directory: Path, sandbox: Sandbox) -> None:
    """Serves requests until the pipe is closed. `directory` is this worker's own."""
    number, bench = 0, Workbench(directory)
    try:
        _check_birth()
        libraries.load()
        _send(pipe, Confined(confine(limits, bench, pipe.fileno(), sandbox)))
        logging.disable()  # warnings of the libraries about a file are of no use to an operator
        while (frame := _receive(pipe)) is not None:
            request = msgspec.json.decode(frame, type=Request)
            number = request.number
            original = bench.original if request.size is None else pipe.recv(request.size, socket.MSG_WAITALL)
            with SpilledRows(bench.rows) as rows:
                _send(pipe, *_answer(pipe, number, original, rows, limits))
    except Exception:
        _send(pipe, Broke(number, traceback.format_exc()[-_TRACEBACK:]))
        raise


def _check_birth() -> None:
    """Checks that this process has no credentials. Raises BornWithCredentials.

    The forking process checks first, but `multiprocessing` skips a module that it cannot import.
    """
    if has_credentials():
        raise BornWithCredentials


def _answer(
    pipe: socket.socket, number: int, original: File, rows: SpilledRows, limits: Limits
) -> tuple[Done | Failed, bytes | None]:
    """Reads a file. Returns the last answer, and the picture that follows it."""
    told = time.monotonic()

    def on_page(page: int, pages: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _PROGRESS_EVERY:
            told = time.monotonic()
            _send(pipe, Page(number, page, pages))

    def on_text(reading: Reading) -> None:
        text = rows.taken()
        _send(pipe, Read(number, reading, None if text is None else len(text)), text)

    try:
        reading, picture = read(original, rows, limits, on_page, on_text)
    except Refused as refused:
        return Failed(number, refused.code, str(refused)), None
    except MemoryError:
        return Failed(number, "out_of_memory", "The file needs more memory than a file may take. Simplify or split it."), None
    except RecursionError:
        message = "The file's structure is nested too deeply to be read. Save it anew and upload that."
        return Failed(number, "corrupt", message), None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return Failed(number, "disk_full", "The processor's disk is full."), None
    return Done(number, reading, len(picture or b"")), picture


def _send(pipe: socket.socket, answer: Answer, following: bytes | None = None) -> None:
    body = msgspec.json.encode(answer)
    pipe.sendall(b"%b%b%b" % (struct.pack(">I", len(body)), body, following or b""))


def _receive(pipe: socket.socket) -> bytes | None:
    head = pipe.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return None
    body = pipe.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)
    return body or None
