"""What this machine tells of a worker process: how much it computes, how much memory it has taken, and who ended it.

It is read from /proc, and is None or 0 where there is none.
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
_ABORTED_AT = 0.25  # of the limit: what asks for more memory at once asks for twice as much as it has
_BROKE_AT = 0.5  # of the limit: where a library goes on without what it was not given


def cpu_seconds(pid: int) -> float | None:
    """CPU seconds of the process since its start."""
    try:
        fields = (_PROC / f"{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_bytes(pid: int) -> int:
    """The most address space that the process has had."""
    return 1024 * _number(_PEAK, _PROC / f"{pid}/status")


def resident_bytes(pid: int) -> int:
    """Memory that the process has now; what it shares with others counts in full."""
    try:
        return int((_PROC / f"{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def oom_kills() -> int:
    """How many processes the kernel has killed for memory, in whatever container."""
    return _number(_OOM_KILLS, _PROC / "vmstat")


def ended_by_memory(exit_code: int | None, *, peak: int, limit: int, kernel_killed: bool) -> bool:
    """Whether the lack of memory ended a process: by the kernel, or by a library that met its limit and gave up.

    `kernel_killed`: the kernel has killed for memory meanwhile; `peak` and `limit` of address space, in bytes.
    """
    if exit_code == -signal.SIGKILL:
        return kernel_killed
    if exit_code == -signal.SIGABRT:
        return peak > _ABORTED_AT * limit
    return exit_code is not None and exit_code < 0 and peak > _BROKE_AT * limit


def _number(pattern: re.Pattern[str], path: Path) -> int:
    try:
        found = pattern.search(path.read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
