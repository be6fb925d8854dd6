"""The directory of one worker process: the file that it reads, and the files that it writes its results to.

The parent makes them all, so that a worker needs no right to make or remove any. It moves the original in and out, and copies the
results: what it has checked, no worker can change any more.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

RESULTS = ("pages.tsv", "thumbnail.webp")


class ResultLost(Exception):
    """A worker did away with a file for its results."""


class Workbench:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.original = directory / "original.pdf"
        self.results = [directory / name for name in RESULTS]

    @classmethod
    def make(cls, parent: Path) -> Self:
        """A new one below `parent`. Raises OSError."""
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # whoever tidies up temporary files may have taken it away
        bench = cls(Path(tempfile.mkdtemp(prefix="worker-", dir=parent)))
        for result in bench.results:
            result.touch(mode=0o600)
        return bench

    @contextlib.contextmanager
    def holding(self, source: Path) -> Iterator[None]:
        """Meanwhile `source` is the original, and the results are empty at first. Raises OSError where the directory is gone."""
        for result in self.results:
            os.truncate(result, 0)
        source.rename(self.original)
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                self.original.rename(source)

    def copy_results(self, target: Path) -> None:
        """Copies the results into the directory `target`. Raises ResultLost; OSError where there is no room for them."""
        for result in self.results:
            with _opened(result) as written, (target / result.name).open("wb") as copy:
                shutil.copyfileobj(written, copy)

    def remove(self) -> None:
        """Removes the directory and what is in it, as far as it can."""
        shutil.rmtree(self.directory, ignore_errors=True)


def _opened(result: Path) -> BinaryIO:
    """Follows no link, and does not wait for the other end of a pipe."""
    try:
        descriptor = os.open(result, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            raise
        raise ResultLost(f"it left no {result.name}: {error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ResultLost(f"its {result.name} is no plain file")
    return os.fdopen(descriptor, "rb")
