"""Reads the body of an upload and yields the bytes of its files as they arrive.

No byte is received before the caller asks for it: a caller that pauses makes the client wait.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from starlette.types import Message, Receive

from quire_ingest.filenames import extended, parameters, undo_latin1
from quire_runtime.http import Problem

MAX_FIELDS = 100
"""Form fields beside the files, at most; they are read and ignored."""
MAX_HEADER_BYTES = 8_192
MAX_HEADERS = 16
MAX_BOUNDARY_BYTES = 200
"""RFC 2046 allows 70."""


class BodyLimits(NamedTuple):
    """The limits of a request.

    `request_bytes` and `files` bound an upload as a whole. `idle_seconds` is the longest time without a byte, and the time over
    which a client has to send `bytes_per_second` on average. The body of a command has at most `command_bytes`, and
    has to be whole within `command_seconds`.
    """

    request_bytes: int
    files: int
    idle_seconds: float
    bytes_per_second: float
    command_bytes: int
    command_seconds: float


class FileStarts(NamedTuple):
    """The beginning of a file: its bytes follow, up to the next None. `name` is as the client wrote it."""

    name: str | None


class ClientLeft(Exception):
    """The client closed the connection before its request was answered."""


def boundary_of(content_type: str | None) -> str:
    """Returns the multipart boundary.

    Raises Problem 415 where the body is not multipart/form-data, 400 without a usable boundary.
    """
    kind, options = parse_options_header(content_type or "")
    if kind != "multipart/form-data":
        raise Problem(415, "unsupported_media_type", "Send the files as parts of a multipart/form-data body.")
    boundary = options.get("boundary", "")
    if not boundary or "\n" in boundary or len(boundary.encode()) > MAX_BOUNDARY_BYTES:
        raise Problem(400, "malformed_multipart", "The Content-Type names no usable boundary.")
    return str(boundary)


def refuse_length(content_length: str | None, limits: BodyLimits) -> None:
    """Refuses a body whose announced length is too large, before a byte of it is read. Raises Problem 413."""
    if content_length is not None and content_length.isdecimal() and int(content_length) > limits.request_bytes:
        raise _too_large(limits)


async def file_events(receive: Receive, boundary: str, limits: BodyLimits) -> AsyncGenerator[FileStarts | bytes | None, None]:
    """Yields for each file a FileStarts, its bytes in pieces, and None. Raises Problem and ClientLeft."""
    parser = PushMultipartParser(
        boundary,
        max_header_size=MAX_HEADER_BYTES,
        max_header_count=MAX_HEADERS,
        max_segment_size=limits.request_bytes,
        max_segment_count=limits.files + MAX_FIELDS,
        header_charset="latin-1",  # any byte is a character: a name in another charset fails no upload
        strict=False,
    )
    files, inside, anything = 0, False, False
    async for chunk in _chunks(receive, limits):
        anything = True
        for event in _parsed(parser, chunk):
            if isinstance(event, MultipartSegment):
                inside = _is_file(event)
                files += inside
                if files > limits.files:
                    raise Problem(
                        413, "too_many_files", f"An upload may hold {limits.files} files. Send the rest in another one."
                    )
                if inside:
                    yield FileStarts(_name(event))
            elif inside:
                yield event
    if anything:
        _close(parser)


class _Pace:
    """Measures how fast a client sends.

    Only time spent waiting for the client counts: bytes that it sent while the store was slow are there at once.
    """

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._waited = 0.0
        self._got = 0

    async def next(self, receive: Receive) -> Message:
        """Receives the next message. Raises Problem 408 where the client is too slow."""
        seconds, loop = self._limits.idle_seconds, asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds):
                message = await receive()
        except TimeoutError:
            raise _too_slow("Nothing", seconds) from None
        self._waited += loop.time() - began
        self._got += len(message.get("body", b""))
        if self._waited >= seconds:
            if self._got < seconds * self._limits.bytes_per_second:
                raise _too_slow(f"Less than {self._limits.bytes_per_second:,.0f} bytes a second", seconds)
            self._waited, self._got = 0.0, 0
        return message


def _too_slow(what: str, seconds: float) -> Problem:
    return Problem(408, "too_slow", f"{what} came for {seconds:g} s. Send the files again.")


async def _chunks(receive: Receive, limits: BodyLimits) -> AsyncIterator[bytes]:
    received, pace = 0, _Pace(limits)
    more = True
    while more:
        message = await pace.next(receive)
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        received += len(chunk)
        if received > limits.request_bytes:
            raise _too_large(limits)
        if chunk:
            yield chunk


def _parsed(parser: PushMultipartParser, chunk: bytes) -> list[MultipartSegment | bytes | None]:
    try:
        return list(parser.parse(chunk))
    except MultipartError as error:
        raise _malformed(error) from error


def _close(parser: PushMultipartParser) -> None:
    try:
        parser.close()
    except MultipartError as error:
        raise _malformed(error) from error


def _malformed(error: MultipartError) -> Problem:
    if isinstance(error, ParserLimitReached):
        return Problem(413, "too_many_parts", f"The multipart body is beyond what is allowed: {error}.")
    return Problem(400, "malformed_multipart", f"The body is not well-formed multipart/form-data: {error}.")


def _too_large(limits: BodyLimits) -> Problem:
    mib = limits.request_bytes // 1_048_576
    return Problem(413, "request_too_large", f"An upload may take {mib} MiB, all files together. Send the files in several.")


def _is_file(segment: MultipartSegment) -> bool:
    """Returns whether a part is a file: it has a filename, or a media type other than text (some clients send no filename)."""
    if parameters(segment.header("Content-Disposition")).keys() & {"filename", "filename*"}:
        return True
    return segment.content_type is not None and not segment.content_type.startswith("text/")


def _name(segment: MultipartSegment) -> str | None:
    name = extended(parameters(segment.header("Content-Disposition")).get("filename*", ""))
    if name is None and segment.filename is not None:
        name = undo_latin1(segment.filename)
    return name
