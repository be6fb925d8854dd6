"""What the filter of system calls decides: by an interpreter of its program for each architecture, by the kernel for this one."""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import platform
import signal
import socket
import subprocess
import sys

import pytest

from quire_processor.calls import allowed
from quire_processor.seccomp import Call, Condition, Instruction, program

PID = 4_242
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
X32 = 0x40000000
NULL, SOMEWHERE = 0, 0x7F00_0000_0000  # a pointer of which the lower word is zero
EXECUTABLE = mmap.PROT_READ | mmap.PROT_EXEC


def decided(instructions: list[Instruction], number: int, arguments: tuple[int, ...] = (), arch: str = "x86_64") -> int:
    """What the program returns for a call, as the kernel runs it."""
    words = [number, ARCHITECTURES[arch], 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    accumulator, at = 0, 0
    while True:
        code, true, false, operand = instructions[at]
        at += 1
        match code:
            case 0x20:
                accumulator = words[operand // 4]
            case 0x54:
                accumulator &= operand
            case 0x15:
                at += true if accumulator == operand else false
            case 0x35:
                at += true if accumulator >= operand else false
            case 0x06:
                return operand


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_no_call_but_those_of_the_list_is_allowed(arch: str) -> None:
    filters = program(allowed(PID), arch)
    known = {getattr(one, arch) for one in allowed(PID)}
    for number in (*range(600), X32, X32 + 1, X32 + 41, 2**32 - 1):
        if number not in known:
            assert decided(filters, number, arch=arch) == (ENOSYS if number >= 424 else EPERM)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_call_of_the_list_is_allowed_in_each_of_its_forms(arch: str) -> None:
    filters = program(allowed(PID), arch)
    for one in allowed(PID):
        for conditions in one.when or ((),):
            arguments = [0] * 6
            for condition in conditions:
                arguments[condition.argument] |= condition.value
            if (number := getattr(one, arch)) is not None:
                assert decided(filters, number, tuple(arguments), arch) == ALLOW, one


def test_a_call_of_another_architecture_is_refused() -> None:
    filters = program(allowed(PID), "x86_64")
    assert decided(filters, 0) == ALLOW
    assert decided(filters, 0, arch="aarch64") == EPERM


def test_there_is_no_filter_for_an_architecture_that_is_not_known() -> None:
    with pytest.raises(OSError, match="no seccomp filter for riscv64, only for x86_64 and aarch64"):
        program(allowed(PID), "riscv64")


# Names of calls with arguments, and whether they are allowed
FORMS = [
    ("tgkill", (PID, PID, signal.SIGABRT), True),
    ("tgkill", (PID + 1, PID + 1, signal.SIGKILL), False),
    ("tgkill", (2**32 - 1, PID, signal.SIGKILL), False),
    ("prlimit64", (0, 7, NULL, SOMEWHERE), True),
    ("prlimit64", (PID, 7, NULL, SOMEWHERE), False),
    ("prlimit64", (0, 7, SOMEWHERE, NULL), False),
    ("sched_getaffinity", (0, 128, SOMEWHERE), True),
    ("sched_getaffinity", (1, 128, SOMEWHERE), False),
    ("fcntl", (3, fcntl.F_GETFL), True),
    ("fcntl", (3, fcntl.F_SETOWN, 1), False),
    ("fcntl", (3, 10, signal.SIGKILL), False),  # F_SETSIG
    ("fcntl", (3, fcntl.F_SETFL, os.O_ASYNC), False),
    ("fcntl", (3, fcntl.F_SETLK, SOMEWHERE), False),
    ("ioctl", (3, 0x5401, SOMEWHERE), True),  # TCGETS
    ("ioctl", (3, 0x5412, SOMEWHERE), False),  # TIOCSTI
    ("ioctl", (3, 0x5452, SOMEWHERE), False),  # FIOASYNC
    ("mmap", (NULL, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE), True),
    ("mmap", (NULL, 4096, EXECUTABLE, mmap.MAP_PRIVATE), False),
    ("mprotect", (SOMEWHERE, 4096, mmap.PROT_READ), True),
    ("mprotect", (SOMEWHERE, 4096, EXECUTABLE), False),
    ("madvise", (SOMEWHERE, 4096, 4), True),  # MADV_DONTNEED
    ("madvise", (SOMEWHERE, 4096, 100), False),  # MADV_HWPOISON
    ("sendto", (3, SOMEWHERE, 1, 0, NULL, 0), True),
    ("sendto", (3, SOMEWHERE, 1, 0, SOMEWHERE, 110), False),
    ("sendto", (3, SOMEWHERE, 1, socket.MSG_OOB, NULL, 0), False),
    ("recvfrom", (3, SOMEWHERE, 4, socket.MSG_WAITALL, NULL, NULL), True),
    ("recvfrom", (3, SOMEWHERE, 4, socket.MSG_OOB, NULL, NULL), False),
    ("recvfrom", (3, SOMEWHERE, 4, socket.MSG_WAITALL, SOMEWHERE, SOMEWHERE), False),
    ("openat", (-100, SOMEWHERE, os.O_RDONLY | os.O_CLOEXEC), True),
    ("openat", (-100, SOMEWHERE, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), True),
    ("openat", (-100, SOMEWHERE, os.O_RDONLY | os.O_TRUNC), False),
    ("futex", (SOMEWHERE, 0 | 128), True),  # FUTEX_WAIT, private
    ("futex", (SOMEWHERE, 9 | 128 | 256), True),  # FUTEX_WAIT_BITSET, of the real-time clock
    ("futex", (SOMEWHERE, 6 | 128), False),  # FUTEX_LOCK_PI
]


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize(("name", "arguments", "may"), FORMS)
def test_a_call_is_allowed_only_in_its_harmless_form(name: str, arguments: tuple[int, ...], arch: str, *, may: bool) -> None:
    [number] = [getattr(one, arch) for one in allowed(PID) if one.name == name]
    assert decided(program(allowed(PID), arch), number, arguments, arch) == (ALLOW if may else EPERM)


def test_a_condition_looks_at_both_words_of_an_argument() -> None:
    filters = program([Call("of a test", 7, 7, ((Condition(5, 2**64 - 1, 2**40 + 1),),))], "x86_64")
    assert decided(filters, 7, (0, 0, 0, 0, 0, 2**40 + 1)) == ALLOW
    for other in (2**40, 1, 2**41 + 1):
        assert decided(filters, 7, (0, 0, 0, 0, 0, other)) == EPERM


# The same by the kernel. Descriptor -1 and a null pointer make every call a harmless error of its own.

IN_A_CHILD = """
import ctypes, json, os, sys
from quire_processor import calls, seccomp
from quire_processor.kernel import call
code = {code}
call("prctl", 38, 1, 0, 0, 0)
seccomp.restrict(calls.allowed(os.getpid()))
def error(attempt):
    try:
        return attempt() and 0
    except OSError as refused:
        return refused.errno
{then}
"""
needs_seccomp = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ARCHITECTURES,
    reason=f"there is no filter for {sys.platform} on {platform.machine()}",
)


def in_a_child(then: str, code: str = "None") -> subprocess.CompletedProcess[str]:
    script = IN_A_CHILD.format(then=then, code=code)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)


@needs_seccomp
def test_the_kernel_decides_the_same() -> None:
    numbers = {one.name: getattr(one, platform.machine()) for one in allowed(PID)}
    made = [(numbers[name], -1, *map(int, arguments[1:]), *[0] * (6 - len(arguments))) for name, arguments, _ in FORMS]
    then = f"print(json.dumps([error(lambda: call('syscall', *numbers)) for numbers in {made}]))"
    child = in_a_child(then)
    assert child.returncode == 0, child.stderr
    filters = program(allowed(PID), platform.machine())
    expected = [decided(filters, number, tuple(arguments), platform.machine()) == EPERM for number, *arguments in made]
    assert [code == errno.EPERM for code in json.loads(child.stdout)] == expected


@needs_seccomp
def test_a_new_call_does_not_exist_so_that_the_c_library_goes_another_way() -> None:
    child = in_a_child("print(error(lambda: call('syscall', 435, None, 0)), error(lambda: call('syscall', 449, None, 0)))")
    assert child.stdout.split() == [str(errno.ENOSYS)] * 2, child.stderr  # clone3, futex_waitv


@needs_seccomp
def test_a_process_that_aborts_still_ends_by_that_signal() -> None:
    assert in_a_child("os.abort()").returncode == -signal.SIGABRT


@needs_seccomp
@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has calls of 32 bits besides its own")
def test_a_call_of_32_bits_is_refused() -> None:
    code = "__import__('mmap').mmap(-1, 4096, prot=7)"  # made before: afterwards there is none
    getpid = "b8 14 00 00 00 cd 80 48 98 c3"  # mov eax, 20; int 0x80; cdqe; ret
    then = f"""
code.write(bytes.fromhex({getpid!r}))
print(ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
"""
    child = in_a_child(then, code)
    assert child.stdout.strip() == str(-errno.EPERM), child.stderr
