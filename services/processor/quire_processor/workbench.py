"""The directory of one worker process, for what is too large for its pipe: the file that it reads, and the text of its pages.

The parent makes the file of the text, so that a worker needs no right to make or remove any. It puts the original there and takes
it away. It copies the text: what it has checked, no worker can change any more.
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
    """A worker did away with the file of its text."""


class WrittenRows(NamedTuple):
    """The file of the text, opened. `size` in bytes."""

    file: BinaryIO
    size: int


class Workbench:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.original = directory / "original.pdf"
        self.rows = directory / "pages.tsv"

    @classmethod
    def make(cls, parent: Path) -> Self:
        """A new one below `parent`. Raises OSError."""
        bench = cls(directory_below(parent, "worker-"))
        bench.rows.touch(mode=0o600)
        return bench

    @contextlib.contextmanager
    def holding(self, source: Path) -> Iterator[None]:
        """Meanwhile `source` is the original. Raises OSError where the directory is gone."""
        source.rename(self.original)
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                self.original.rename(source)

    @contextlib.contextmanager
    def written(self) -> Iterator[WrittenRows]:
        """The text. No link is followed, nor the other end of a pipe waited for. Raises RowsLost."""
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
        """The next file begins without the text of this one. Raises RowsLost."""
        try:
            if not (state := os.lstat(self.rows)).st_size:
                return
            if not stat.S_ISREG(state.st_mode):
                raise RowsLost(f"its {self.rows.name} is no plain file")
            os.truncate(self.rows, 0)
        except OSError as error:
            raise RowsLost(f"it left no {self.rows.name}: {error}") from error

    def remove(self) -> None:
        """Removes the directory and what is in it, as far as it can."""
        shutil.rmtree(self.directory, ignore_errors=True)
