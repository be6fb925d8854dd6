"""The directory of one worker process, for data that is too large for its pipe: the original, and the text of its pages.

The parent makes the file for the text, so that a worker needs no right to make or remove files. The parent also puts the
original there and takes it away. It checks a copy of the text, which no worker can change.
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


class RowsLost(Exception):
    """A worker has removed or replaced the file for its text."""


class WrittenRows(NamedTuple):
    """The open file with the text. `size` is in bytes."""

    file: BinaryIO
    size: int


class Workbench:
    """The directory of one worker. `original` is the path of the file that the worker reads, `rows` that of its text."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.original = directory / "original.pdf"
        self.rows = directory / "pages.tsv"

    @classmethod
    def make(cls, parent: Path) -> Self:
        """Makes a new workbench below `parent`. Raises OSError."""
        bench = cls(directory_below(parent, "worker-"))
        bench.rows.touch(mode=0o600)
        return bench

    @contextlib.contextmanager
    def holding(self, source: Path) -> Iterator[None]:
        """A context in which the file `source` is moved here as the original. Raises OSError where the directory is gone."""
        source.rename(self.original)
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                self.original.rename(source)

    @contextlib.contextmanager
    def written(self) -> Iterator[WrittenRows]:
        """A context with the open file of the text. Raises RowsLost where that is missing or no plain file.

        No symbolic link is followed, and the other end of a pipe is not waited for.
        """
        try:
            descriptor = os.open(self.rows, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                raise
            raise RowsLost(f"it left no {self.rows.name}: {error}") from error
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise RowsLost(f"its {self.rows.name} is no plain file")
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            yield WrittenRows(file, state.st_size)

    def clear(self) -> None:
        """Empties the file for the text, so that the next text begins anew. Raises RowsLost."""
        try:
            if not (state := os.lstat(self.rows)).st_size:
                return
            if not stat.S_ISREG(state.st_mode):
                raise RowsLost(f"its {self.rows.name} is no plain file")
            os.truncate(self.rows, 0)
        except OSError as error:
            raise RowsLost(f"it left no {self.rows.name}: {error}") from error

    def remove(self) -> None:
        """Removes the directory and its files, and ignores errors."""
        shutil.rmtree(self.directory, ignore_errors=True)
