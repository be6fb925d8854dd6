"""Writes a zip archive as a stream. It ends with its directory, so every tool rejects an archive that was cut off."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

PIECE_BYTES = 64 * 1024
_LARGE = 1 << 30
"""Bytes above which an entry is written in the ZIP64 format."""
_ATTRIBUTES = 0o644 << 16
_EARLIEST, _LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, tzinfo=UTC)
"""The earliest and the latest time that an archive can store."""


class ArchiveEntry(NamedTuple):
    """A file of the archive. `size` is its length in bytes, as far as it is known. `level` is the compression level: text is
    worth compressing, PDFs are compressed already.
    """

    name: str
    at: datetime
    size: int
    level: int
    chunks: AsyncGenerator[bytes, None]


class _Written:
    """Holds what zipfile has written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Does nothing, because nothing is held back."""

    def take(self) -> bytes:
        taken, self._pieces, self.size = b"".join(self._pieces), [], 0
        return taken


def _info(entry: ArchiveEntry) -> ZipInfo:
    info = ZipInfo(entry.name, min(max(entry.at, _EARLIEST), _LATEST).timetuple()[:6])
    info.compress_type, info.external_attr = ZIP_DEFLATED, _ATTRIBUTES
    info._compresslevel = entry.level  # type: ignore[attr-defined]  # noqa: SLF001 -- public from Python 3.13 on only
    return info


async def zipped(entries: AsyncGenerator[ArchiveEntry, None]) -> AsyncGenerator[bytes, None]:
    """Yields the archive's bytes. Errors of the entries are raised before the directory is written."""
    written = _Written()
    with ZipFile(written, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # it needs only these methods of a file
        async for entry in entries:
            async with aclosing(entry.chunks):
                with archive.open(_info(entry), "w", force_zip64=entry.size > _LARGE) as file:
                    async for chunk in entry.chunks:
                        file.write(chunk)
                        if written.size >= PIECE_BYTES:
                            yield written.take()
    yield written.take()
