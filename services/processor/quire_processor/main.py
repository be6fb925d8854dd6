"""Wires the processor: the only place where its parts are constructed."""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from tempfile import mkdtemp

from quire_processor.settings import ProcessorSettings

SCHEMA = "processor"
_SCRATCH = "quire-processor-"


def worker_name(settings: ProcessorSettings) -> str:
    """What events and logs call this process."""
    return settings.worker_name or f"{socket.gethostname()}-{os.getpid()}"


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A directory of our own under `parent`, removed at the end; what processors that were killed left goes first."""
    for left in parent.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError), (left / "lock").open("rb") as lock:
            flock(lock, LOCK_EX | LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    mine = Path(mkdtemp(prefix=_SCRATCH, dir=parent))
    with (mine / "lock").open("wb") as lock:
        flock(lock, LOCK_EX | LOCK_NB)
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)
