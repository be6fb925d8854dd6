"""Starts the process that forks the workers, and names the function that they run."""

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
_LONGEST_DIRECTORY = 60  # bytes: the name that multiprocessing appends takes about 30


def work(*arguments: Any) -> None:
    """Runs a worker process.

    The import is in the function, so that the processor, which only names the function, loads no PDF library: with these, the
    start of the processor would take a fifth longer.
    """
    from quire_processor import worker  # noqa: PLC0415 -- see above

    worker.main(*arguments)


def forkserver_context() -> ForkServerContext:
    """Returns the context to start workers with. Its processes begin with a worker's modules loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


def ensure_forkserver() -> None:
    """Starts the process that forks the workers, where it has not been started or has died."""
    with without_credentials(), _short_socket_paths():
        ensure_running()


@contextlib.contextmanager
def _short_socket_paths() -> Iterator[None]:
    """A context in which multiprocessing gives its socket a short path.

    A socket's path has 107 bytes at most, and multiprocessing makes the socket in the directory of temporary files. Only this
    process uses the path, so it may begin with this process's descriptor of that directory.
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
    """Returns a descriptor of the directory. The descriptor stays open, as every start of a worker uses it."""
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
