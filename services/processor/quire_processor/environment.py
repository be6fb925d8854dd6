"""The environment that worker processes are born with: that of the processor without its credentials.

`multiprocessing` starts the process that forks the workers wherever it finds none: at times by itself, between two calls of ours,
and then with all that the processor has. A mark tells one that was started here.
"""

import contextlib
import os
from collections.abc import Iterator

_INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_", "LD_LIBRARY_PATH", "PYTHON")
"""How the variables begin that a worker process inherits. None of the others is its business: credentials have many names."""
_MARK = "QUIRE_WITHOUT_CREDENTIALS"


@contextlib.contextmanager
def without_credentials() -> Iterator[None]:
    """A process that is started inside inherits the variables of `_INHERITED` and the mark, nothing else.

    It changes os.environ meanwhile: for the event loop's thread only.
    """
    kept = {name: os.environ.pop(name) for name in list(os.environ) if not name.startswith(_INHERITED)}
    os.environ[_MARK] = "yes"  # after the last of them is gone, and no longer than that
    try:
        yield
    finally:
        del os.environ[_MARK]
        os.environ.update(kept)


def has_credentials() -> bool:
    """Whether this process may have been born with credentials."""
    return _MARK not in os.environ
