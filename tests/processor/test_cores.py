"""With QUIRE_WORKERS=0 there are as many workers as this process has cores, not as the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quire_processor import cores


def laid_out(directory: Path, own: str, **files: str) -> tuple[Path, Path]:
    """A `/sys/fs/cgroup` with these files (`__` is a slash, and `_` before `max` a dot), and a `/proc/self/cgroup`."""
    for name, text in files.items():
        path = directory / "root" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("cpu_", "cpu.", 1)).write_text(text)
    (directory / "own").write_text(own)
    return directory / "root", directory / "own"


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu_max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu_max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu_max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu_max": "5000 100000\n"}, 1),
        ("0::/a/b\n", {"a__cpu_max": "300000 100000\n", "a__b__cpu_max": "max 100000\n"}, 3),
        ("0::/host/only\n", {"cpu_max": "100000 100000\n"}, 1),
        (
            "3:cpu,cpuacct:/a\n2:memory:/a\n",
            {"cpu,cpuacct__a__cpu_cfs_quota_us": "200000\n"} | {"cpu,cpuacct__a__cpu_cfs_period_us": "100000\n"},
            2,
        ),
        ("1:cpu:/\n", {"cpu__cpu_cfs_quota_us": "-1\n", "cpu__cpu_cfs_period_us": "100000\n"}, 8),
        ("", {}, 8),
    ],
)
def test_a_quota_of_any_cgroup_around_counts(tmp_path: Path, own: str, files: dict[str, str], expected: int) -> None:
    assert cores.usable(*laid_out(tmp_path, own, **files)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_affinity_counts() -> None:
    script = (
        "from quire_processor.cores import os, usable; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(usable())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
