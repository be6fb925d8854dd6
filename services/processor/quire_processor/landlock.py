"""Landlock (linux/landlock.h): restricts the files that this process and its threads may open, whatever the user may.

The kernel's Landlock ABI decides what else is refused: TCP from ABI 4 on, ioctl on devices from ABI 5 on, abstract Unix sockets
and signals to processes outside from ABI 6 on. Rights that a kernel does not know are left out.
"""

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from quire_processor.kernel import call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_ASK_FOR_ABI, _PATH_BENEATH = 1, 1

_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_OF_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE  # all other rights concern directories
_FILE_RIGHTS_SINCE = {1: (1 << 13) - 1, 2: 1 << 13, 3: _TRUNCATE, 5: 1 << 15}
_TCP, _TCP_SINCE = 0b11, 4  # bind, connect
_SCOPES, _SCOPES_SINCE = 0b11, 6  # abstract Unix sockets, signals


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Restricts this process to reading in and below `readable`, and reading, writing and truncating the files `writable`.

    No file can be made, removed or executed any more. Raises OSError where the kernel has no Landlock or refuses.
    """
    abi = call("syscall", _CREATE_RULESET, None, 0, _ASK_FOR_ABI)
    files = sum(rights for since, rights in _FILE_RIGHTS_SINCE.items() if since <= abi)
    handled = struct.pack("=QQQ", files, _TCP if abi >= _TCP_SINCE else 0, _SCOPES if abi >= _SCOPES_SINCE else 0)
    ruleset = call("syscall", _CREATE_RULESET, handled, len(handled), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(ruleset, path, files & _OF_FILES)
        call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        there = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # a path that cannot be reached needs no rule
    try:
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & _OF_FILES, there)
        call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(there)
