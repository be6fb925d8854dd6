"""The limit of open files: raises it as far as the system allows, and bounds connections so that files are left for everything
else.
"""

import os
import resource
import time
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from quire_runtime.logs import get_logger

log = get_logger(__name__)

BACKLOG = 2_048
"""Connections that the kernel keeps until they are accepted."""
MOST_FILES = 1_048_576
"""The limit of open files when the system sets none."""
RESERVED = BACKLOG + 256
"""Open files for everything except clients' connections: ops port, Kafka, Postgres, object store, scratch files. They also
serve connections that are accepted together, before any of them can be refused. At most half of a small limit is reserved.
"""
TELL_SECONDS = 60.0


def raise_limit() -> None:
    """Raises the soft limit of open files to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(_number(hard), MOST_FILES)
    if _number(soft) >= most:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:  # macOS has another limit, below the hard one
        log.warning("the limit of open files stays as it is", soft=soft, hard=hard, error=str(error))


def room_for_connections() -> int:
    """Returns how many connections of clients the limit of open files has room for."""
    most = min(_number(resource.getrlimit(resource.RLIMIT_NOFILE)[0]), MOST_FILES)
    return most - min(RESERVED, most // 2)


def _number(limit: int) -> int:
    return MOST_FILES if limit == resource.RLIM_INFINITY else limit


class GivesWay(Protocol):
    def give_way(self) -> None: ...


C = TypeVar("C", bound=GivesWay)


class Places(Generic[C]):
    """The connections that a server may have. When there are too many, the oldest connection that waits for a request is closed
    for the new one. So clients that open connections and send nothing keep nobody out.
    """

    def __init__(self, most: int, port: str) -> None:
        """`port` names the server in the log when there are too many connections."""
        self.most = most
        self._port = port
        self._waiting: dict[C, None] = {}
        self._told_at = float("-inf")

    def room(self, taken: int) -> bool:
        """Returns whether a new connection may stay. `taken` is the number of connections, the new one included."""
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
        """Notes that a connection does not wait any more. Does nothing if it did not wait."""
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
    """Returns a problem unless files can be written in this directory."""
    if not directory.is_dir():
        return [f"QUIRE_SCRATCH_DIR: there is no directory {str(directory)!r}. Make it, or correct the path"]
    if not os.access(directory, os.W_OK | os.X_OK):
        return [f"QUIRE_SCRATCH_DIR: {str(directory)!r} cannot be written to. Change its mode, or the path"]
    return []
