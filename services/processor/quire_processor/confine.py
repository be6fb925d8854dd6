"""Confines a worker process before it opens a stranger's file. No step needs root, and none can be undone.

Everywhere, rlimits are set and all descriptors but the pipe are closed. On Linux, the worker also dies with its parent, gives
up privileges, and is restricted by Landlock and seccomp.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from quire_processor import landlock, seccomp
from quire_processor.calls import allowed
from quire_processor.kernel import call
from quire_processor.limits import Limits
from quire_processor.workbench import Workbench

Sandbox = Literal["require", "prefer", "off"]
PARTS = ("landlock", "seccomp")
Lacking = dict[str, str]
"""The parts of the sandbox that are not in force, each with the reason."""

_ON_LINUX = sys.platform == "linux"
_MAX_FILE_BYTES = 512 * 1024**2
_OPEN_FILES = 64
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITIES_VERSION_3, _CAP_DAC_READ_SEARCH = 0x20080522, 1 << 2
_FONTS = ("/usr/share/fonts", "/usr/share/X11/fonts", "/usr/local/share/fonts")  # where pdfium looks for fonts


def confine(limits: Limits, bench: Workbench, pipe: int, sandbox: Sandbox) -> Lacking:
    """Confines the calling process for good and returns the parts of the sandbox that are not in force.

    `pipe` is the only descriptor that stays open. Raises OSError where the kernel refuses a step before Landlock and seccomp.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    _drop_descriptors(pipe)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if _ON_LINUX:
        call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _drop_capabilities()
    return _sandboxed(bench, sandbox)


def keep_secrets() -> None:
    """Keeps other processes of the same user from reading this process's memory and the environment it was started with."""
    if _ON_LINUX:
        call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def _sandboxed(bench: Workbench, sandbox: Sandbox) -> Lacking:
    if sandbox == "off":
        return dict.fromkeys(PARTS, "QUIRE_SANDBOX=off")
    if not _ON_LINUX:
        return dict.fromkeys(PARTS, f"{platform.system()} has none")
    steps: tuple[Callable[[], None], ...] = (
        lambda: landlock.restrict(_readable(bench), [bench.rows]),
        lambda: seccomp.restrict(allowed(os.getpid())),
    )
    lacking = {}
    for part, step in zip(PARTS, steps, strict=True):
        try:
            step()
        except OSError as error:
            lacking[part] = error.strerror or str(error)
    return lacking


def _readable(bench: Workbench) -> list[Path]:
    """Returns what a worker may read: its own directory, fonts, and packages that Python may still import.

    The rest of `sys.path` is left out, as anything may lie there.
    """
    packages = {path for name, module in sys.modules.items() if "." not in name for path in getattr(module, "__path__", ())}
    return [bench.directory, *map(Path, {*_FONTS, *packages, Path(os.__file__).parent})]


def _drop_descriptors(pipe: int) -> None:
    """Closes every inherited descriptor but `pipe`, such as the processor's log and the channels of multiprocessing.

    A worker talks to its parent only. Standard input, output and error become /dev/null.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for inherited in {int(path.name) for path in Path("/proc/self/fd" if _ON_LINUX else "/dev/fd").iterdir()} - {0, 1, 2, pipe}:
        os.closerange(inherited, inherited + 1)  # ignores the descriptor by which the list was read, which is closed already


def _drop_capabilities() -> None:
    """Drops all capabilities of root but one, by which a worker reaches its own directory below directories of other users."""
    header = struct.pack("=Ii", _CAPABILITIES_VERSION_3, 0)
    held = ctypes.create_string_buffer(24)
    call("capget", header, held)
    effective, permitted, *_ = struct.unpack("=6I", held)
    call("capset", header, struct.pack("=6I", effective & _CAP_DAC_READ_SEARCH, permitted & _CAP_DAC_READ_SEARCH, 0, 0, 0, 0))
