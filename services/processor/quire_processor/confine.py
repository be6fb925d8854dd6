"""What a worker process gives up before it opens a stranger's file: none of this needs root, and none can be undone.

Landlock (Linux 5.13): files are read where libraries are, and made only below one directory, as plain files. Seccomp: no socket,
no program and no process is started, nobody is signalled or traced. Where the kernel lacks one of them, the other limits still
hold; `lacking` says which.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from quire_processor.limits import Limits

_MAX_FILE_BYTES = 512 * 1024**2
_OPEN_FILES = 64

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_GET_SECCOMP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 21, 22, 38
_SECCOMP_MODE_FILTER = 2

# linux/landlock.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # removing and making of every kind
_REMOVE_FILE, _MAKE_REG = 1 << 5, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # since ABI 2 and 3
_TCP = 3  # bind and connect, since ABI 4

# By architecture: AUDIT_ARCH of linux/audit.h, and the numbers of system calls that are refused
_REFUSED_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (
            *(41, 42, 49, 50),  # socket, connect, bind, listen
            *(56, 57, 58, 59, 322, 435),  # clone, fork, vfork, execve, execveat, clone3
            *(62, 129, 200, 234, 297),  # kill, rt_sigqueueinfo, tkill, tgkill, rt_tgsigqueueinfo
            *(101, 310, 311, 424, 434, 438),  # ptrace, process_vm_readv and _writev, pidfd_send_signal, _open and _getfd
            *(425, 426, 427),  # io_uring, which has sockets of its own
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (
            *(198, 203, 200, 201),
            *(220, 221, 281, 435),
            *(129, 138, 130, 131, 240),
            *(117, 270, 271, 424, 434, 438),
            *(425, 426, 427),
        ),
    ),
}
_LD_WORD, _JEQ, _JGE, _RET = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_X32_CALLS = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def confine(limits: Limits, writable: Path) -> None:
    """For the calling process and for good: limits, and everything that this kernel has."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if sys.platform != "linux":
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _restrict_files(writable)
    _restrict_calls()


def keep_secrets() -> None:
    """For the parent: processes of the same user may not look into it, nor at the environment it was started with."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def lacking() -> list[str]:
    """What does not hold on this machine, in words; empty where all does."""
    found = []
    if sys.platform != "linux" or _landlock_abi() < 1:
        found.append("worker processes may write outside of their directory (no Landlock)")
    if sys.platform != "linux" or platform.machine() not in _REFUSED_CALLS or _libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        found.append("worker processes may use the network (no seccomp)")
    return found


def _landlock_abi() -> int:
    return int(_libc.syscall(_CREATE_RULESET, None, 0, 1))


def _restrict_files(writable: Path) -> None:
    abi = _landlock_abi()
    if abi < 1:
        return
    changes = _CHANGES | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    reads = _READ_FILE | _READ_DIR
    handled = struct.pack("=QQ", changes | reads | _EXECUTE, _TCP if abi >= 4 else 0)[: 16 if abi >= 4 else 8]
    ruleset = _libc.syscall(_CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        return
    for path in _readable():
        _allow(ruleset, path, reads | _EXECUTE)
    plain = _WRITE_FILE | _MAKE_REG | _REMOVE_FILE | (changes & _TRUNCATE)  # no links and pipes: our parent opens what is made
    _allow(ruleset, writable, plain | reads)
    _libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _readable() -> Iterable[Path]:
    """Where programs, libraries and fonts are; not /proc, not home directories."""
    system = (Path(path) for path in ("/usr", "/lib", "/lib64", "/etc/fonts", "/etc/localtime", "/dev/urandom", "/dev/null"))
    python = (Path(path) for path in (sys.prefix, sys.base_prefix, *sys.path) if path)
    return [path for path in (*system, *python) if path.exists()]


def _allow(ruleset: int, path: Path, rights: int) -> None:
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights_there = rights if path.is_dir() else rights & (_EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE)
        rule = struct.pack("=Qi", rights_there, file)
        _libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(file)


def _restrict_calls() -> None:
    known = _REFUSED_CALLS.get(platform.machine())
    if known is None:
        return
    arch, calls = known
    # seccomp_data: the number of the call at 0, the architecture at 4. Jumps count the instructions that are skipped.
    program = [(_LD_WORD, 0, 0, 4), (_JEQ, 1, 0, arch), (_RET, 0, 0, _REFUSE), (_LD_WORD, 0, 0, 0)]
    program += [(_JGE, len(calls) + 1, 0, _X32_CALLS)]
    program += [(_JEQ, len(calls) - number, 0, call) for number, call in enumerate(calls)]
    program += [(_RET, 0, 0, _ALLOW), (_RET, 0, 0, _REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters, 0, 0)
