"""Keeps bytes between the network and the object store: in memory while there is room, else on disk."""

import asyncio
import io
import shutil
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from quire_ingest import metrics


class Memory:
    """A budget of bytes in memory that all uploads share.

    An upload never waits for it, so no upload can hold up the others by keeping it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        metrics.BUFFERED.labels("memory").set_function(lambda: self.taken)

    def take(self, size: int) -> bool:
        """Takes `size` more bytes if there is room for them. Returns whether there was."""
        if self.taken + size > self.limit:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        self.taken -= size


class Segment:
    """A piece of a file. Once the budget of memory is used up, it moves to a file without a name, which is gone when closed."""

    def __init__(self, memory: Memory, directory: Path) -> None:
        self.size = 0
        self._memory = memory
        self._directory = directory
        self._held = 0
        self._file: IO[bytes] = io.BytesIO()
        self._on_disk = False

    async def write(self, data: bytes | memoryview) -> None:
        """Appends bytes. Raises OSError where they cannot be written to the disk."""
        if not self._on_disk and not self._memory.take(len(data)):
            self._file = await asyncio.to_thread(self._moved, self._file)
            self._release()
            self._on_disk = True
        if self._on_disk:
            await asyncio.to_thread(self._file.write, data)
            metrics.BUFFERED_ON_DISK.inc(len(data))
        else:
            self._file.write(data)
        self._held += len(data)
        self.size += len(data)

    def body(self) -> IO[bytes]:
        """Returns the bytes as an open file, at its beginning, for one attempt to store them."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Forgets the bytes. May be called twice."""
        self._release()
        self._file.close()

    def _moved(self, source: IO[bytes]) -> IO[bytes]:
        target = TemporaryFile(dir=self._directory)  # noqa: SIM115 -- closed with the segment
        source.seek(0)
        shutil.copyfileobj(source, target)
        source.close()
        return target

    def _release(self) -> None:
        if self._on_disk:
            metrics.BUFFERED_ON_DISK.dec(self._held)
        else:
            self._memory.give_back(self._held)
        self._held = 0
