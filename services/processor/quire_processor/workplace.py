"""Where one file lies while it is worked on: small things in memory, others in a directory that is made for the first of them."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

SMALL = 1024 * 1024
"""Bytes of an original, or of its text, that stay in memory."""


def directory_below(parent: Path, prefix: str | None = None) -> Path:
    """A new directory for this user alone. Raises OSError."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # whoever tidies up temporary files may have taken it away
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


class Workplace:
    """`parent` is where the directory is made. A context that removes it in the end."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._directory: Path | None = None

    def path(self, name: str) -> Path:
        """Of a file of this name. Raises OSError."""
        if self._directory is None:
            self._directory = directory_below(self._parent)
        return self._directory / name

    async def clear(self) -> None:
        """Removes the directory, where there is one; the next file makes another."""
        directory, self._directory = self._directory, None
        if directory is not None:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.clear()
