"""Names of files in an archive: unique, and safe to unpack on any system. Pure."""

import re
from collections.abc import Iterator

from quire_schemas.text import searchable, shorten_filename

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows takes for a device, with any suffix."""
_MARKED_BYTES = 240
"""Bytes of a path component at most: the 255 that file systems allow, less room for ` (2)` and a longer suffix."""


class Names:
    """Gives each file a name of its own. Names that differ only in case, or in how accents are encoded, count as equal, because
    some file systems treat them so.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def unique(self, path: str, suffix: str) -> str:
        """Returns a relative path, with `suffix` instead of `.pdf`, that no other file or folder of the archive has."""
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
        """Returns the folders, renumbered where a file has the same name."""
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
    """Yields the name, then `name (2)`, `name (3)`, and so on."""
    yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1


def _safe(component: str) -> str:
    """Returns the component without characters and names that file systems refuse, or that lead to another folder."""
    name = _UNSAFE.sub("_", component).strip(" ").rstrip(". ")
    if not name or _RESERVED.fullmatch(name):
        name = f"_{name}"
    return shorten_filename(name, _MARKED_BYTES)
