"""Calls the kernel where Python has no function for it. Raises OSError where the kernel refuses."""

import ctypes
import os

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None

_libc = ctypes.CDLL(None, use_errno=True)


def call(function: str, *arguments: Argument) -> int:
    """Returns the result of the C library's `function`. `syscall` makes any system call: its number is the first argument."""
    result = int(getattr(_libc, function)(*(ctypes.c_long(value) if isinstance(value, int) else value for value in arguments)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
