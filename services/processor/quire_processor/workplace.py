"""The place of one file's data while it is worked on: small data in memory, large data in a directory."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

SMALL = 1024 * 1024
"""Bytes of an original, or of its text, that stay in memory, at most."""


def directory_below(parent: Path, prefix: str | None = None) -> Path:
    """Makes a new directory below `parent` that only this user can open. Raises OSError."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # a program that tidies up temporary files may have removed it
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


class Workplace:
    """The place of one file's data: a context that removes its directory in the end. The directory is made below `parent`."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._directory: Path | None = None

    def path(self, name: str) -> Path:
        """Returns the path of the file `name` in the directory, which is made if there is none. Raises OSError."""
        if self._directory is None:
            self._directory = directory_below(self._parent)
        return self._directory / name

    async def clear(self) -> None:
        """Removes the directory, if there is one. The next call of `path` makes another."""
        directory, self._directory = self._directory, None
        if directory is not None:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.clear()
