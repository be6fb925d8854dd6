"""The system calls that a worker process needs once it is confined, as data.

The list has the calls that CPython, pdfium, pypdf, Pillow and glibc were seen to make over a corpus of PDFs, and the calls of
the same code's other paths. A call that can reach beyond the process is allowed only in a form that does not.
"""

import fcntl
import mmap
import os
import socket

from quire_processor.seccomp import Call, Condition

_INT = 0xFFFFFFFF  # the bits that the kernel reads of an int
_POINTER = 0xFFFFFFFFFFFFFFFF
_TCGETS = 0x5401  # whether a descriptor is a terminal: Python asks it of every file that it opens
_FUTEX_COMMAND = ~(128 | 256) & _INT  # all but the flags PRIVATE and CLOCK_REALTIME
_FUTEX = (0, 1, 9)  # WAIT, WAKE, WAIT_BITSET
_ADVICE = (4, 8, 14, 15)  # MADV_DONTNEED, _FREE, _HUGEPAGE, _NOHUGEPAGE


def _is(argument: int, value: int) -> Condition:
    return Condition(argument, _INT, value)


def _without(argument: int, bits: int) -> Condition:
    return Condition(argument, bits, 0)


def _with(argument: int, bits: int) -> Condition:
    return Condition(argument, bits, bits)


def _null(argument: int) -> Condition:
    return Condition(argument, _POINTER, 0)


def _one_of(argument: int, *values: int) -> tuple[tuple[Condition, ...], ...]:
    return tuple((_is(argument, value),) for value in values)


_OPENED = (_without(2, os.O_TRUNC),), (_with(2, os.O_WRONLY),), (_with(2, os.O_RDWR),)
"""Ways to open a file: reading and truncating it at once is not among them, as Landlock allows that before its ABI 3."""


def allowed(pid: int) -> tuple[Call, ...]:
    """Returns the system calls that the process `pid` may make, in each group the most frequent first."""
    return (
        # Files: open, read, write and inspect them. No call changes a name, an owner, a mode, a time or a lock.
        Call("read", 0, 63),
        Call("lseek", 8, 62),
        Call("newfstatat", 262, 79),
        Call("fstat", 5, 80),
        Call("write", 1, 64),
        Call("close", 3, 57),
        Call("openat", 257, 56, _OPENED),
        Call("ioctl", 16, 29, _one_of(1, _TCGETS)),
        Call("stat", 4, None),
        Call("lstat", 6, None),
        Call("statx", 332, 291),
        Call("getdents64", 217, 61),
        Call("getcwd", 79, 17),
        Call("fcntl", 72, 25, _one_of(1, fcntl.F_GETFL)),
        # Memory, never executable: all code is loaded before.
        Call("mmap", 9, 222, ((_without(2, mmap.PROT_EXEC),),)),
        Call("mprotect", 10, 226, ((_without(2, mmap.PROT_EXEC),),)),
        Call("munmap", 11, 215),
        Call("mremap", 25, 216),
        Call("brk", 12, 214),
        Call("madvise", 28, 233, _one_of(2, *_ADVICE)),
        # The pipe to the parent: no address, no ancillary data, nothing out of band.
        Call("recvfrom", 45, 207, ((_without(3, ~socket.MSG_WAITALL & _INT), _null(4)),)),
        Call("sendto", 44, 206, ((_is(3, 0), _null(4)),)),
        # The process itself: its locks, clocks, signals, limits (to be read only) and machine.
        Call("futex", 202, 98, tuple((Condition(1, _FUTEX_COMMAND, of),) for of in _FUTEX)),
        Call("sched_yield", 24, 124),
        Call("clock_gettime", 228, 113),
        Call("gettimeofday", 96, 169),
        Call("time", 201, None),
        Call("restart_syscall", 219, 128),
        Call("rt_sigaction", 13, 134),
        Call("rt_sigprocmask", 14, 135),
        Call("rt_sigreturn", 15, 139),
        Call("tgkill", 234, 131, ((_is(0, pid),),)),
        Call("getpid", 39, 172),
        Call("gettid", 186, 178),
        Call("getrusage", 98, 165),
        Call("prlimit64", 302, 261, ((_is(0, 0), _null(2)),)),
        Call("sched_getaffinity", 204, 123, ((_is(0, 0),),)),
        Call("sysinfo", 99, 179),
        Call("uname", 63, 160),
        Call("getrandom", 318, 278),
        Call("exit", 60, 93),
        Call("exit_group", 231, 94),
    )
