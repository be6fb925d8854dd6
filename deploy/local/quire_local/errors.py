"""Errors of a local stack; each message says what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class LocalError(Exception):
    """The local stack cannot go on."""


class PortTaken(LocalError):
    """A port that a part needs is in use by another process."""

    def __init__(self, taken: Sequence[tuple[int, str]]) -> None:
        what = "; ".join(f"port {port} is taken, and {name} needs it" for port, name in taken)
        super().__init__(f"{what}. Stop what listens there, or take other ports: --port-offset 100, 200, ….")


class DirectoryInUse(LocalError):
    """Another running stack uses this data directory."""

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(
            f"{directory} is in use by a running stack ({owner})."
            " Stop that one, or give this one another --data DIR and --port-offset N."
        )


class NotOurs(LocalError):
    """The data directory holds files that Quire did not make."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"{directory} is not empty and was not made by Quire. Give an empty or a new directory with --data.")


class Unusable(LocalError):
    """The data directory cannot be made, read or written."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(
            f"{directory} cannot be the data directory: {reason.lower()}."
            " Give another one with --data, or change its owner or mode."
        )


class JarRefused(LocalError):
    """A downloaded jar is not the one that was pinned."""

    def __init__(self, name: str, *, expected: str, got: str) -> None:
        super().__init__(
            f"{name}: its sha256 is {got}, but {expected} is pinned. It was thrown away and nothing of it was run."
            " Try again; if it stays so, what lies between here and the Maven repository changes files."
        )


class JarUnavailable(LocalError):
    """A jar cannot be downloaded."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name} cannot be downloaded: {reason}."
            " The first start needs a Maven repository: Maven Central, or a mirror named in the section"
            " [repositories] of jgo's config file, ~/.config/jgo.conf. Later starts need no network."
        )


class WrongSettings(LocalError):
    """A QUIRE_ variable of the environment is no setting, or has a value that its service refuses."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("The services do not take these settings:" + "".join(f"\n    {problem}" for problem in problems))


class PartFailed(LocalError):
    """A part of the stack ended, or did not get ready in time."""

    def __init__(self, name: str, what: str, log: Path, lines: Sequence[str]) -> None:
        self.name = name
        tail = "".join(f"\n    {line}" for line in lines)
        super().__init__(f"{name} {what}. Its last log lines ({log}):{tail or ' none'}")
