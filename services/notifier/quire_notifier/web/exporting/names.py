"""Names of files in an archive: safe to unpack anywhere, and each there once. Pure."""

import re
from collections.abc import Iterator

from quire_schemas.text import searchable, shorten_filename

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever its suffix."""
_MARKED_BYTES = 240
"""Of a component, less what ` (2)` and a further suffix take of 255."""


class Names:
    """Gives each file a name of its own. Two that differ in case only, or in how accents are written, are one on some disks."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def unique(self, path: str, suffix: str) -> str:
        """A relative path, `suffix` in the place of `.pdf`, that is not in use as the name of another file or folder."""
        *folders, name = (_safe(component) for component in path.split("/") if component)
        parent = "/".join(self._folder(folders))
        stem = name[:-4] if name.lower().endswith(".pdf") else name
        for numbered in _numbered(stem):
            found = f"{parent}/{numbered}{suffix}" if parent else f"{numbered}{suffix}"
            key = searchable(found)
            if key not in self._files and key not in self._folders:
                self._files.add(key)
                return found
        raise AssertionError  # there is always a further number

    def _folder(self, folders: list[str]) -> list[str]:
        """The folders, each of which is no file."""
        chosen: list[str] = []
        for folder in folders:
            for numbered in _numbered(folder):
                key = searchable("/".join([*chosen, numbered]))
                if key not in self._files:
                    self._folders.add(key)
                    chosen.append(numbered)
                    break
        return chosen


def _numbered(name: str) -> Iterator[str]:
    """The name, then `name (2)`, `name (3)`, and so on."""
    yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1


def _safe(component: str) -> str:
    """Nothing that leads elsewhere, or that a file system refuses."""
    name = _UNSAFE.sub("_", component).strip(" ").rstrip(". ")
    if not name or _RESERVED.fullmatch(name):
        name = f"_{name}"
    return shorten_filename(name, _MARKED_BYTES)
