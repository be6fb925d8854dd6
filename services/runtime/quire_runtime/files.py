"""Open files: as many as the system allows, and connections never so many that none is left for anything else."""

import os
import resource
import time
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from quire_runtime.logs import get_logger

log = get_logger(__name__)

BACKLOG = 2_048
"""Connections that the kernel holds until they are accepted."""
MOST_FILES = 1_048_576
"""Where the system sets no limit of its own."""
RESERVED = BACKLOG + 256
"""Open files for all that is no client: ops port, Kafka, Postgres, object store, scratch files; and for clients that are accepted
in one go, before any of them can be refused. Of a small limit the half.
"""
TELL_SECONDS = 60.0


def raise_limit() -> None:
    """Raises the soft limit of open files to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(_number(hard), MOST_FILES)
    if _number(soft) >= most:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:  # macOS has a limit of its own, below the hard one
        log.warning("the limit of open files stays as it is", soft=soft, hard=hard, error=str(error))


def room_for_connections() -> int:
    """How many connections of clients the limit of open files has room for."""
    most = min(_number(resource.getrlimit(resource.RLIMIT_NOFILE)[0]), MOST_FILES)
    return most - min(RESERVED, most // 2)


def _number(limit: int) -> int:
    return MOST_FILES if limit == resource.RLIM_INFINITY else limit


class GivesWay(Protocol):
    def give_way(self) -> None: ...


C = TypeVar("C", bound=GivesWay)


class Places(Generic[C]):
    """The connections that a server may have. When there are too many, the oldest one of those that await a request ends for the
    new one: who opens connections and asks for nothing keeps nobody out.
    """

    def __init__(self, most: int, port: str) -> None:
        """`port` names the server in the log, when its places run out."""
        self.most = most
        self._port = port
        self._waiting: dict[C, None] = {}
        self._told_at = float("-inf")

    def room(self, taken: int) -> bool:
        """Whether a new connection may stay; `taken` counts it in."""
        if taken <= self.most:
            return True
        self._tell(taken)
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        self.waits_no_more(oldest)
        oldest.give_way()
        return True

    def waits(self, connection: C) -> None:
        self._waiting[connection] = None

    def waits_no_more(self, connection: C) -> None:
        """Harmless where it did not wait."""
        self._waiting.pop(connection, None)

    def _tell(self, taken: int) -> None:
        if time.monotonic() - self._told_at < TELL_SECONDS:
            return
        self._told_at = time.monotonic()
        log.warning(
            "connections run out: the oldest that ask for nothing are ended, and further ones refused",
            port=self._port,
            connections=taken,
            most=self.most,
            idle=len(self._waiting),
            cure="raise the limit of open files (ulimit -n), or QUIRE_HTTP_MAX_CONNECTIONS where that is set",
        )


def scratch_problems(directory: Path) -> list[str]:
    """Whether files can lie in this directory for a while."""
    if not directory.is_dir():
        return [f"QUIRE_SCRATCH_DIR: there is no directory {str(directory)!r}. Make it, or correct the path"]
    if not os.access(directory, os.W_OK | os.X_OK):
        return [f"QUIRE_SCRATCH_DIR: {str(directory)!r} cannot be written to. Change its mode, or the path"]
    return []
