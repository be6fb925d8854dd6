"""Runs a command as on a kernel that lacks parts of the sandbox, or refuses a step before them:
python kernel_without.py landlock,seccomp COMMAND …, or one of PRCTLS or CALLS.
"""

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
REFUSED = 0x00050000 | errno.EPERM
SET_NO_NEW_PRIVS, SET_SECCOMP = 38, 22
PRCTLS = {"pdeathsig": 1, "no_new_privs": SET_NO_NEW_PRIVS}
CALLS = {
    "capset": {"x86_64": 126, "aarch64": 91}[platform.machine()],
    "recvfrom": {"x86_64": 45, "aarch64": 207}[platform.machine()],
    "setrlimit": {"x86_64": 302, "aarch64": 261}[platform.machine()],  # prlimit64, by which the C library sets limits
}

if __name__ == "__main__":
    missing = sys.argv[1].split(",")
    program = []
    if "landlock" in missing:
        for call in LANDLOCK_CALLS:
            program += [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 0, 1, call), (RETURN, 0, 0, NO_SUCH_CALL)]
    if "seccomp" in missing:
        program += [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 0, 3, PRCTL)]
        program += [(LOAD, 0, 0, FIRST_ARGUMENT), (IF_EQUAL, 0, 1, SET_SECCOMP), (RETURN, 0, 0, INVALID)]
    for option in [PRCTLS[name] for name in missing if name in PRCTLS]:
        program += [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 0, 3, PRCTL)]
        program += [(LOAD, 0, 0, FIRST_ARGUMENT), (IF_EQUAL, 0, 1, option), (RETURN, 0, 0, REFUSED)]
    for call in [CALLS[name] for name in missing if name in CALLS]:
        program += [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 0, 1, call), (RETURN, 0, 0, REFUSED)]
    program.append((RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(SET_SECCOMP, 2, filters, 0, 0):
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
