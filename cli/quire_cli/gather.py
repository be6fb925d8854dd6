"""Finds the files that the paths of a command line mean."""

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec import Struct


class Chosen(Struct, frozen=True):
    """A file that can be read now, and must not change until it is sent; `size` is in bytes.

    `within` is its path in the folder that the user named, beginning with that folder's name.
    """

    path: Path
    size: int
    modified_ns: int
    within: str | None = None

    @property
    def name(self) -> str:
        return self.path.name


class Unreadable(Struct, frozen=True):
    path: str
    reason: str


class Gathered(Struct):
    """Files to send, files that cannot be read, and the number of files in folders whose names do not end in .pdf."""

    files: list[Chosen] = []
    unreadable: list[Unreadable] = []
    skipped: int = 0

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def gather(paths: Iterable[str], stdin: Callable[[], str]) -> Gathered:
    """Returns the files that the paths name, each once: files, folders' *.pdf in order of their paths, and the matches of
    patterns that the shell has not expanded.

    `-` stands for names read from `stdin`, one a line, or ended by NUL (find -print0).
    """
    gathered, seen = Gathered(), set[str]()
    for path in _spelled_out(paths, stdin):
        _add(gathered, seen, path)
    return gathered


def _spelled_out(paths: Iterable[str], stdin: Callable[[], str]) -> Iterator[str]:
    for path in paths:
        if path == "-":
            text = stdin()
            yield from (name for name in (text.split("\0") if "\0" in text else text.splitlines()) if name)
        elif not os.path.lexists(path) and glob.has_magic(path):
            yield from sorted(glob.glob(path, recursive=True)) or [path]  # noqa: PTH207 -- Path.glob refuses absolute patterns
        else:
            yield path


def _add(gathered: Gathered, seen: set[str], path: str, within: str | None = None) -> None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        _cannot(gathered, path, error)
        return
    if stat.S_ISDIR(status.st_mode):
        _add_folder(gathered, seen, path)
    elif stat.S_ISREG(status.st_mode):
        _add_file(gathered, seen, Path(path), within)
    else:  # a pipe would block when it is opened
        gathered.unreadable.append(Unreadable(path, "it is no file"))


def _add_folder(gathered: Gathered, seen: set[str], path: str) -> None:
    root = Path(path).resolve()
    for folder, folders, names in os.walk(path, onerror=lambda error: _cannot(gathered, error.filename, error)):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(".pdf"):
                within = root.name / Path(folder).resolve().relative_to(root) / name
                _add(gathered, seen, str(Path(folder) / name), within.as_posix())
            else:
                gathered.skipped += 1


def _add_file(gathered: Gathered, seen: set[str], path: Path, within: str | None) -> None:
    real = os.path.realpath(path)
    if real in seen:
        return
    seen.add(real)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
    except OSError as error:
        _cannot(gathered, str(path), error)
        return
    gathered.files.append(Chosen(path, status.st_size, status.st_mtime_ns, within))


def _cannot(gathered: Gathered, path: str, error: OSError | ValueError) -> None:
    """Adds an unreadable file. A ValueError means a name that no file can have; Python's text for it differs by version."""
    reason = error.strerror or str(error) if isinstance(error, OSError) else "a name cannot hold this character"
    gathered.unreadable.append(Unreadable(path, reason.lower()))
