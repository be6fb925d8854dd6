"""Seccomp: restricts the system calls of this process, and their arguments, by a filter program that is assembled here.

The kernel runs the program for each call. The program reads `struct seccomp_data` (linux/seccomp.h) word by word: the number of
the call, the architecture, and from byte 16 on the six arguments, 64 bits each.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable
from typing import NamedTuple

from quire_processor.kernel import call

Instruction = tuple[int, int, int, int]
"""An instruction: code, instructions to skip where a comparison is true, or is false, and operand (linux/bpf_common.h)."""

_LOAD, _AND, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_WORD = 0xFFFFFFFF
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

_ADDED_SINCE_2019 = 424
"""Calls from this number on came with Linux 5.1 or later. The C library tries them first, and after ENOSYS an older call.

After EPERM it would not try the older call.
"""


class Condition(NamedTuple):
    """A condition on a call. True where argument number `argument`, from 0, has the bits `value` under `mask`."""

    argument: int
    mask: int
    value: int


class Call(NamedTuple):
    """A system call that may be made: always, or where all conditions of one of the alternatives in `when` are true."""

    name: str
    x86_64: int | None
    aarch64: int | None
    when: tuple[tuple[Condition, ...], ...] = ()


def restrict(calls: Iterable[Call]) -> None:
    """Restricts this process to `calls`: every other call fails from now on, with EPERM or ENOSYS.

    Raises OSError where the kernel has no seccomp, or this module has no filter for the architecture.
    """
    instructions = program(calls, platform.machine())
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(instructions), ctypes.addressof(code)))
    call("prctl", _PR_SET_SECCOMP, _MODE_FILTER, filters, 0, 0)


def program(calls: Iterable[Call], machine: str) -> list[Instruction]:
    """Returns the filter program of `calls` for the architecture `machine`. Raises OSError where that is not in _AUDIT_ARCH."""
    if machine not in _AUDIT_ARCH:
        raise OSError(errno.ENOSYS, f"no seccomp filter for {machine}, only for {' and '.join(_AUDIT_ARCH)}")
    refuse = (_RETURN, 0, 0, _ERROR | errno.EPERM)
    made = [(_LOAD, 0, 0, _ARCHITECTURE), (_IF_EQUAL, 1, 0, _AUDIT_ARCH[machine]), refuse, (_LOAD, 0, 0, _NUMBER)]
    for one in calls:
        number = getattr(one, machine)
        if number is not None:
            body = _body(one.when, refuse)
            made += [(_IF_EQUAL, 0, len(body), number), *body]
    return [*made, (_IF_AT_LEAST, 0, 1, _ADDED_SINCE_2019), (_RETURN, 0, 0, _ERROR | errno.ENOSYS), refuse]


def _body(alternatives: tuple[tuple[Condition, ...], ...], refuse: Instruction) -> list[Instruction]:
    """Returns the instructions that decide about a call once its number is known."""
    if not alternatives:
        return [(_RETURN, 0, 0, _ALLOW)]
    body: list[Instruction] = []
    for conditions in alternatives:
        words = [word for condition in conditions for word in _words(condition)]
        for left, (offset, mask, value) in zip(range(len(words), 0, -1), words, strict=True):
            # Where false, go on with the next alternative: skip the words left, three instructions each, and the return.
            body += [(_LOAD, 0, 0, offset), (_AND, 0, 0, mask), (_IF_EQUAL, 0, 3 * (left - 1) + 1, value)]
        body.append((_RETURN, 0, 0, _ALLOW))
    return [*body, refuse]


def _words(condition: Condition) -> list[tuple[int, int, int]]:
    """Returns the condition cut into words of 32 bits: offset, mask, value. The lower word is first on both architectures."""
    offset = _ARGUMENTS + 8 * condition.argument
    halves = [
        (offset, condition.mask & _WORD, condition.value & _WORD),
        (offset + 4, condition.mask >> 32, condition.value >> 32),
    ]
    return [half for half in halves if half[1]]
