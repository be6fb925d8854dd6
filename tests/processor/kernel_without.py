"""Runs a command as on a kernel that lacks parts of the sandbox: python kernel_without.py landlock,seccomp COMMAND …"""

import ctypes
import errno
import os
import platform
import struct
import sys

PRCTL = {"x86_64": 157, "aarch64": 167}[platform.machine()]
LANDLOCK_CALLS = (444, 445, 446)
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16
ALLOW, NO_SUCH_CALL, INVALID = 0x7FFF0000, 0x00050000 | errno.ENOSYS, 0x00050000 | errno.EINVAL
SET_NO_NEW_PRIVS, SET_SECCOMP = 38, 22

if __name__ == "__main__":
    missing = sys.argv[1].split(",")
    program = []
    if "landlock" in missing:
        for call in LANDLOCK_CALLS:
            program += [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 0, 1, call), (RETURN, 0, 0, NO_SUCH_CALL)]
    if "seccomp" in missing:
        program += [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 0, 3, PRCTL)]
        program += [(LOAD, 0, 0, FIRST_ARGUMENT), (IF_EQUAL, 0, 1, SET_SECCOMP), (RETURN, 0, 0, INVALID)]
    program.append((RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(SET_SECCOMP, 2, filters, 0, 0):
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
