"""Counts the cores that this process may use, within its CPU affinity and the quotas of its cgroups."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def usable(root: Path = _ROOT, own: Path = _OWN) -> int:
    """Returns the number of cores that this process may use, at least 1. A part of a core counts as one.

    `root` and `own` are the kernel's files about cgroups.
    """
    quota = min(_quotas(root, own), default=math.inf)
    return max(1, min(_allowed(), math.ceil(min(quota, os.cpu_count() or 1))))


def _allowed() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path, own: Path) -> Iterator[float]:
    """Yields the quota in cores of each cgroup around this process that has one. A container sees its own cgroup at the root."""
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / controllers if controllers else root
        group = top / path.lstrip("/")
        for each in (group, *(parent for parent in group.parents if parent.is_relative_to(top))):
            quota, _, period = (_read(each / "cpu.max") or _first_version(each)).partition(" ")
            if quota.isdigit() and period.strip().isdigit():
                yield int(quota) / int(period)


def _first_version(group: Path) -> str:
    return f"{_read(group / 'cpu.cfs_quota_us').strip()} {_read(group / 'cpu.cfs_period_us').strip()}"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
