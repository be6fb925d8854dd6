"""What processes do to each other around a worker: seen from outside, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
PROCESSOR = """
import asyncio, json, sys
from pathlib import Path
from tests.processor import deeds
from quire_processor import worker
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool

async def main(where, plan, main):
    worker.main = getattr(deeds, main)
    (where / "made").mkdir()
    (where / "deeds.json").write_text(plan)
    async with WorkerPool(1, Limits(), where / "scratch") as pool:
        await pool.extract(where / "deeds.json", where / "made")
    print("it answered")

if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""


def processor(where: Path, deed: str, main: str, **scene: object) -> subprocess.Popen[str]:
    """A process with a worker that does the deed."""
    plan = json.dumps({"deeds": [deed], "elsewhere": str(where), **scene})
    command = [sys.executable, "-c", PROCESSOR, str(where), plan, main]
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


@pytest.mark.parametrize(("main", "forged"), [("free_main", True), ("confined_main", False)])
def test_a_worker_cannot_forge_lines_of_the_processors_log(tmp_path: Path, main: str, *, forged: bool) -> None:
    with processor(tmp_path, "forging", main) as started:
        printed, _ = started.communicate(timeout=60)
    assert "it answered" in printed
    assert ("forged by a worker" in printed) == forged


@pytest.mark.skipif(sys.platform != "linux", reason="a worker dies with its parent on Linux only")
def test_a_worker_that_computes_dies_with_the_processor(tmp_path: Path) -> None:
    with processor(tmp_path, "spinning", "confined_main") as started:
        [worker] = until(lambda: pids(tmp_path))
        started.kill()
        until(lambda: not Path(f"/proc/{worker}").exists())


def pids(where: Path) -> list[str]:
    """What workers have written down of themselves."""
    return [text.strip() for path in where.glob("scratch/worker-*/pages.tsv") if (text := path.read_text()).endswith("\n")]


def until(true: Callable[[], T]) -> T:
    """What comes of it once it is true; fails after a minute."""
    for _ in range(600):
        if result := true():
            return result
        time.sleep(0.1)
    pytest.fail("it did not come about within a minute")
