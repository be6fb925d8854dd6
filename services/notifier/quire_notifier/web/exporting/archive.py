"""A zip archive while it is written, to a place where nothing can be gone back to. It ends with its directory: one that was cut
off is no archive, and every tool says so.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

PIECE_BYTES = 64 * 1024
_LARGE = 1 << 30
"""Bytes from which on an entry is written for readers that know ZIP64."""
_ATTRIBUTES = 0o644 << 16
_EARLIEST, _LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, tzinfo=UTC)
"""Times that an archive knows."""


class Entry(NamedTuple):
    """A file of the archive; `size` in bytes, as far as it is known. Text is worth being compressed, PDFs are that already."""

    name: str
    at: datetime
    size: int
    level: int
    chunks: AsyncGenerator[bytes, None]


class _Written:
    """What zipfile has written and nobody has taken yet."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        taken, self._pieces, self.size = b"".join(self._pieces), [], 0
        return taken


def _info(entry: Entry) -> ZipInfo:
    info = ZipInfo(entry.name, min(max(entry.at, _EARLIEST), _LATEST).timetuple()[:6])
    info.compress_type, info.external_attr = ZIP_DEFLATED, _ATTRIBUTES
    info._compresslevel = entry.level  # type: ignore[attr-defined]  # noqa: SLF001 -- public from Python 3.13 on only
    return info


async def zipped(entries: AsyncGenerator[Entry, None]) -> AsyncGenerator[bytes, None]:
    """The archive's bytes. What the entries raise is raised here, before the directory."""
    written = _Written()
    with ZipFile(written, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # it needs no more of a file than this
        async for entry in entries:
            async with aclosing(entry.chunks):
                with archive.open(_info(entry), "w", force_zip64=entry.size > _LARGE) as file:
                    async for chunk in entry.chunks:
                        file.write(chunk)
                        if written.size >= PIECE_BYTES:
                            yield written.take()
    yield written.take()
