"""Collects the text of a file in a worker process: in memory as long as it is short, then in a file."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

SHORT = 64 * 1024
"""Bytes of text that stay in memory, at most."""


class SpilledRows:
    """The lines of a text, which are written to the file at `path` once they take more than SHORT bytes.

    Writing raises OSError where the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[bytes] = []
        self._size = 0
        self._file: BinaryIO | None = None

    def write(self, line: str) -> None:
        encoded = line.encode()
        self._size += len(encoded)
        if self._file is None and self._size > SHORT:
            self._file = self.path.open("wb")
            self._file.writelines(self._lines)
        (self._lines.append if self._file is None else self._file.write)(encoded)

    def taken(self) -> bytes | None:
        """Returns all lines; None where they are in the file, which is closed then."""
        if self._file is None:
            return b"".join(self._lines)
        self._file.close()
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
