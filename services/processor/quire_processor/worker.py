"""The child's side of a pipe of length-prefixed JSON (4 bytes, big endian), with what is small enough after it.

One request in; out: how far it is, what was read, and one answer, which is about the picture where something was read.
"""

import errno
import logging
import socket
import struct
import time
import traceback
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from quire_processor import libraries
from quire_processor.confine import Lacking, Sandbox, confine
from quire_processor.environment import has_credentials
from quire_processor.evidence import File
from quire_processor.extract import Refused, read
from quire_processor.limits import Limits
from quire_processor.reading import Reading, RefusedCode
from quire_processor.rows import SHORT, SpilledRows
from quire_processor.workbench import Workbench
from quire_schemas.events import Number, Reason

MAX_FRAME = 256 * 1024  # bytes of an answer, without the text or the picture that follows it
MAX_PICTURE = 2 * 1024**2  # bytes
_PROGRESS_EVERY = 0.5  # seconds
_TRACEBACK = 4000  # characters of its end


class Request(Struct, frozen=True):
    """`number` comes back in every answer: what belongs to another request is not believed. `size` bytes of a small file follow;
    a large one lies on the workbench.
    """

    number: int
    size: int | None = None


class Confined(Struct, frozen=True, tag="confined"):
    """The first answer of a worker, before it takes a file: what its sandbox lacks."""

    lacking: Lacking
    number: int = 0


class Page(Struct, frozen=True, tag="page"):
    number: int
    page: Number
    pages: Number


class Read(Struct, frozen=True, tag="read"):
    """The text is all there; the picture is still to come, and may be the worker's end. `size` bytes of the text follow; a long
    one lies on the workbench.
    """

    number: int
    reading: Reading
    size: Annotated[int, Meta(ge=0, le=SHORT)] | None = None


class Done(Struct, frozen=True, tag="done"):
    """`size` bytes of the picture follow."""

    number: int
    reading: Reading
    size: Annotated[int, Meta(ge=0, le=MAX_PICTURE)] = 0


class Failed(Struct, frozen=True, tag="failed"):
    number: int
    code: RefusedCode
    message: Reason


class BornWithCredentials(Exception):
    """This process has the environment of the processor: it takes no file."""


class Broke(Struct, frozen=True, tag="broke"):
    """The last answer of a worker that ends by a fault of its own."""

    number: int
    traceback: str


Answer = Confined | Page | Read | Done | Failed | Broke


def main(pipe: socket.socket, limits: Limits, directory: Path, sandbox: Sandbox) -> None:
    """Serve requests until the pipe is closed; `directory` is this worker's own."""
    number, bench = 0, Workbench(directory)
    try:
        _check_birth()
        libraries.load()
        _send(pipe, Confined(confine(limits, bench, pipe.fileno(), sandbox)))
        logging.disable()  # what the libraries grumble about a file is of no use to an operator
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
    """Raises BornWithCredentials. The forking process looks first, but `multiprocessing` skips a module that it cannot import."""
    if has_credentials():
        raise BornWithCredentials


def _answer(
    pipe: socket.socket, number: int, original: File, rows: SpilledRows, limits: Limits
) -> tuple[Done | Failed, bytes | None]:
    """And what follows the answer."""
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
