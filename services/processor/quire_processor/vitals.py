"""Reads from /proc how much a worker process computes, how much memory it takes, and whether lack of memory ended it.

Where the machine has no /proc, the functions return None or 0.
"""

import os
import re
import signal
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_OOM_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_PEAK = re.compile(r"^VmPeak:\s+(\d+) kB$", re.MULTILINE)
_ABORTED_ABOVE = 0.25  # of the limit. A library that doubles a buffer asks for far more than it has, and aborts without it.
_CRASHED_ABOVE = 0.5  # of the limit. A library that ignores a failed allocation crashes soon after it.


def cpu_seconds(pid: int) -> float | None:
    """Returns the CPU seconds of the process since its start."""
    try:
        fields = (_PROC / f"{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_bytes(pid: int) -> int:
    """Returns the largest address space that the process has had, in bytes."""
    return 1024 * _number(_PEAK, _PROC / f"{pid}/status")


def resident_bytes(pid: int) -> int:
    """Returns the memory of the process now, in bytes. Memory that it shares with others counts in full."""
    try:
        return int((_PROC / f"{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def oom_kills() -> int:
    """Returns how many processes the kernel has killed for lack of memory, in any container."""
    return _number(_OOM_KILLS, _PROC / "vmstat")


def ended_by_memory(exit_code: int | None, *, peak: int, limit: int, kernel_killed: bool) -> bool:
    """Returns whether lack of memory ended a process: the kernel killed it, or a library met the limit and gave up.

    `kernel_killed` says that the kernel has killed a process for lack of memory meanwhile. `peak` and `limit` are of address
    space, in bytes.
    """
    if exit_code == -signal.SIGKILL:
        return kernel_killed
    if exit_code == -signal.SIGABRT:
        return peak > _ABORTED_ABOVE * limit
    return exit_code is not None and exit_code < 0 and peak > _CRASHED_ABOVE * limit


def _number(pattern: re.Pattern[str], path: Path) -> int:
    try:
        found = pattern.search(path.read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
