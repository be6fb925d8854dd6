"""Becomes the given command, which ends when its parent ends and may run as another user.

Run as a file, with the standard library only: python -I -S launch.py PARENT SIGNAL UID GID COMMAND…
PARENT is the pid of the process whose death sends SIGNAL to the command (Linux). -1 as UID and GID keeps the present user.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def become(uid: int, gid: int) -> None:
    """Changes to another user that may still read all files and pass through all directories, such as a data directory or a
    Python environment in /root.

    The capability CAP_DAC_READ_SEARCH allows that. If it cannot be had, file modes alone decide.
    """
    if sys.platform == "linux":
        _libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        bit = 1 << CAP_DAC_READ_SEARCH
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        if _libc.capset(header, sets) == 0:
            _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)


def die_with(parent: int, signal: int) -> None:
    """Makes the kernel send `signal` to this process when its parent dies (Linux). Exits if the parent is already dead.

    Call it after `become`: a change of user clears the setting.
    """
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The parent ended before its child had started.")


def main(arguments: list[str]) -> None:
    parent, signal, uid, gid = map(int, arguments[:4])
    command = arguments[4:]
    if uid != -1:
        become(uid, gid)
    die_with(parent, signal)
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.flush()
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command comes from quire_local itself, never through a shell
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run as user {os.geteuid()}: {error.strerror}.")


if __name__ == "__main__":
    main(sys.argv[1:])
