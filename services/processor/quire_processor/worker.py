"""The child's side of a pipe of length-prefixed JSON (4 bytes, big endian).

One request in; out: how far it is, what was read, and one answer, which is about the picture where something was read.
"""

import errno
import logging
import socket
import struct
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from quire_processor.confine import confine
from quire_processor.extract import Refused, extract
from quire_processor.limits import Limits
from quire_processor.reading import Reading, RefusedCode
from quire_schemas.events import Number, Reason

MAX_FRAME = 256 * 1024  # bytes; an answer is metadata, never text
_PROGRESS_EVERY = 0.5  # seconds


class Request(Struct, frozen=True):
    """`number` comes back in every answer: what belongs to another request is not believed."""

    number: int
    source: str
    target: str


class Page(Struct, frozen=True, tag="page"):
    number: int
    page: Number
    pages: Number


class Read(Struct, frozen=True, tag="read"):
    """The text is written down; the picture is still to come, and may be the worker's end."""

    number: int
    reading: Reading


class Done(Struct, frozen=True, tag="done"):
    number: int
    reading: Reading


class Failed(Struct, frozen=True, tag="failed"):
    number: int
    code: RefusedCode
    message: Reason


Answer = Page | Read | Done | Failed


def main(pipe: socket.socket, limits: Limits, directory: Path) -> None:
    """Serve requests until the pipe is closed; files are written below `directory` only."""
    confine(limits, directory)
    logging.disable()  # what the libraries grumble about a file is of no use to an operator
    while (frame := _receive(pipe)) is not None:
        request = msgspec.json.decode(frame, type=Request)
        _send(pipe, _answer(pipe, request, limits))


def _answer(pipe: socket.socket, request: Request, limits: Limits) -> Done | Failed:
    told = time.monotonic()

    def on_page(page: int, pages: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _PROGRESS_EVERY:
            told = time.monotonic()
            _send(pipe, Page(request.number, page, pages))

    def on_text(reading: Reading) -> None:
        _send(pipe, Read(request.number, reading))

    try:
        reading = extract(Path(request.source), Path(request.target), limits, on_page, on_text)
    except Refused as refused:
        return Failed(request.number, refused.code, str(refused))
    except MemoryError:
        return Failed(request.number, "out_of_memory", "The file needs more memory than a file may take. Simplify or split it.")
    except RecursionError:
        return Failed(
            request.number, "corrupt", "The file's structure is nested too deeply to be read. Save it anew and upload that."
        )
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return Failed(request.number, "disk_full", "The processor's disk is full.")
    return Done(request.number, reading)


def _send(pipe: socket.socket, answer: Answer) -> None:
    body = msgspec.json.encode(answer)
    pipe.sendall(struct.pack(">I", len(body)) + body)


def _receive(pipe: socket.socket) -> bytes | None:
    head = pipe.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return None
    body = pipe.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)
    return body or None
