"""Multipart body of an upload, written as browsers do (RFC 7578, WHATWG) and read from disk while it is sent."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from io import BufferedReader

from quire_cli.errors import CliError
from quire_cli.gather import Chosen

CHUNK = 512 * 1024


class Body:
    """Streams `files` with one chunk in memory. After each chunk, calls `sent` with the bytes of files sent so far."""

    def __init__(self, files: Sequence[Chosen], boundary: str, sent: Callable[[int], None]) -> None:
        self._files = files
        self._boundary = boundary.encode()
        self._sent = sent

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": f"multipart/form-data; boundary={self._boundary.decode()}",
            "Content-Length": str(len(self._end) + sum(len(self._head(file)) + file.size + 2 for file in self._files)),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        for file in self._files:
            yield self._head(file)
            async for chunk in _content(file):
                total += len(chunk)
                yield chunk
                self._sent(total)
            yield b"\r\n"
        yield self._end

    def _head(self, file: Chosen) -> bytes:
        disposition = b'Content-Disposition: form-data; name="files"; filename="%s"' % escaped(file.within or file.name)
        return b"--%s\r\n%s\r\nContent-Type: application/pdf\r\n\r\n" % (self._boundary, disposition)

    @property
    def _end(self) -> bytes:
        return b"--%s--\r\n" % self._boundary


def escaped(name: str) -> bytes:
    """Returns the name's bytes as they are on disk, with quotes and line ends escaped as browsers do."""
    return os.fsencode(name).replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


async def _content(file: Chosen) -> AsyncIterator[bytes]:
    """Yields exactly `file.size` bytes. Raises CliError when the file has changed since it was chosen."""
    try:
        opened = await asyncio.to_thread(open, file.path, "rb")
    except OSError as error:
        raise CliError(f"{file.path} could be read before, and cannot any more ({error.strerror}). Submit again.") from error
    with opened:
        left = file.size
        while left:
            chunk = await asyncio.to_thread(opened.read, min(CHUNK, left))
            left -= len(chunk)
            if not chunk:
                raise _changed(file)
            yield chunk
        if _differs(opened, file):
            raise _changed(file)


def _differs(opened: BufferedReader, file: Chosen) -> bool:
    status = os.fstat(opened.fileno())
    return (status.st_size, status.st_mtime_ns) != (file.size, file.modified_ns)


def _changed(file: Chosen) -> CliError:
    return CliError(f"{file.path} changed while it was being sent. Submit again when nothing writes to it.")
