"""The process that forks the workers, and what they run."""

import contextlib
import functools
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

from quire_processor.environment import without_credentials

_PRELOAD = ["quire_processor.forkserver", "quire_processor.worker"]
_DESCRIPTORS = "/proc/self/fd"
_LONGEST_DIRECTORY = 60  # bytes: what multiprocessing appends takes some 30


def work(*arguments: Any) -> None:
    """All that a worker process does. The processor names it and imports no PDF library: its start would take a fifth longer."""
    from quire_processor import worker  # noqa: PLC0415 -- see above

    worker.main(*arguments)


def forkserver_context() -> ForkServerContext:
    """Its processes begin with a worker's modules loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


def ensure_forkserver() -> None:
    """Start it, the first time and where it has died."""
    with without_credentials(), _short_socket_paths():
        ensure_running()


@contextlib.contextmanager
def _short_socket_paths() -> Iterator[None]:
    """A socket's path has 107 bytes at most, and multiprocessing makes one where temporary files are. We alone use it: so it may
    begin with our descriptor of that directory.
    """
    directory = tempfile.gettempdir()
    if len(os.fsencode(directory)) <= _LONGEST_DIRECTORY or not Path(_DESCRIPTORS).is_dir():
        yield
        return
    tempfile.tempdir = f"{_DESCRIPTORS}/{_descriptor(directory)}"
    try:
        yield
    finally:
        tempfile.tempdir = directory


@functools.cache
def _descriptor(directory: str) -> int:
    """Stays open: every start of a worker goes by it."""
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
