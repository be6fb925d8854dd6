"""The environment of worker processes: the processor's environment without its credentials.

`multiprocessing` starts the process that forks the workers whenever it finds none running: at times on its own, between two
calls of this module, and then with the processor's whole environment. A variable marks a process that was started by this
module, without credentials.
"""

import contextlib
import os
from collections.abc import Iterator

_INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_", "LD_LIBRARY_PATH", "PYTHON")
"""Prefixes of the variables that a worker process inherits. A worker gets no others, as credentials have many names."""
_MARK = "QUIRE_WITHOUT_CREDENTIALS"


@contextlib.contextmanager
def without_credentials() -> Iterator[None]:
    """A context in which a new process inherits the variables of `_INHERITED` and the mark, nothing else.

    os.environ is changed meanwhile: use this in the event loop's thread only.
    """
    kept = {name: os.environ.pop(name) for name in list(os.environ) if not name.startswith(_INHERITED)}
    os.environ[_MARK] = "yes"  # set after all credentials are gone, and deleted before they come back
    try:
        yield
    finally:
        del os.environ[_MARK]
        os.environ.update(kept)


def has_credentials() -> bool:
    """Returns whether this process may have been started with credentials in its environment."""
    return _MARK not in os.environ
