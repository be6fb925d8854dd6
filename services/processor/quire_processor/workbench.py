"""The directory of one worker process: the file that it reads, and the files that it writes its results to.

The parent makes them all, so that a worker needs no right to make or remove any. It puts the original there and takes it away.
It copies the results: what it has checked, no worker can change any more.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from quire_processor.workplace import directory_below

RESULTS = ("pages.tsv", "thumbnail.jpg")


class ResultLost(Exception):
    """A worker did away with a file for its results."""


class Result(NamedTuple):
    """A file with a result, opened. `size` in bytes."""

    file: BinaryIO
    size: int


class Workbench:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.original = directory / "original.pdf"
        self.results = [directory / name for name in RESULTS]

    @classmethod
    def make(cls, parent: Path) -> Self:
        """A new one below `parent`. Raises OSError."""
        bench = cls(directory_below(parent, "worker-"))
        for result in bench.results:
            result.touch(mode=0o600)
        return bench

    @contextlib.contextmanager
    def holding(self, source: bytes | Path) -> Iterator[None]:
        """Meanwhile `source` is the original, and the results are empty at first; a file goes back in the end. Raises OSError
        where the directory is gone.
        """
        for result in self.results:
            os.truncate(result, 0)
        if isinstance(source, Path):
            source.rename(self.original)
        else:
            self._write(source)
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                if isinstance(source, Path):
                    self.original.rename(source)
                else:
                    self.original.unlink()

    @contextlib.contextmanager
    def result(self, name: str) -> Iterator[Result]:
        """One of the results. No link is followed, nor the other end of a pipe waited for. Raises ResultLost."""
        try:
            descriptor = os.open(self.directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                raise
            raise ResultLost(f"it left no {name}: {error}") from error
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise ResultLost(f"its {name} is no plain file")
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            yield Result(file, state.st_size)

    def remove(self) -> None:
        """Removes the directory and what is in it, as far as it can."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _write(self, content: bytes) -> None:
        """Into a new file: whatever a worker has put in its place is no longer there."""
        with contextlib.suppress(FileNotFoundError):
            self.original.unlink()
        with os.fdopen(os.open(self.original, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
