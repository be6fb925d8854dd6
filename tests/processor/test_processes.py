"""What a worker can do to the processes around it, seen from outside: the processor here is a process of its own."""

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
ROOT = Path(__file__).parents[2]
WITHOUT_LANDLOCK = (sys.executable, str(Path(__file__).with_name("kernel_without.py")), "landlock")
PROCESSOR = """
import asyncio, json, os, sys
from multiprocessing.forkserver import _forkserver
from pathlib import Path
from tests.processor import deeds
from quire_processor import spawning
from quire_processor.confine import keep_secrets
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool
from quire_processor.workplace import Workplace

async def main(where, main, *names):
    keep_secrets()
    spawning.work = getattr(deeds, main)
    async with WorkerPool(1, Limits(), where / "scratch") as pool:
        scene = {"elsewhere": str(where), "parent": os.getpid(), "forkserver": _forkserver._forkserver_pid, "deeds": names}
        extracted = await pool.extract(json.dumps(scene).encode(), Workplace(where))
    print(deeds.told(extracted))

if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="shown for Linux only")


def processor(where: Path, main: str, *deeds: str, on: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A processor whose worker does the deeds; it prints what came of them."""
    command = [*on, sys.executable, "-c", PROCESSOR, str(where), main, *deeds]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize(("main", "forged"), [("free_main", True), ("confined_main", False)])
def test_a_worker_cannot_forge_lines_of_the_processors_log(tmp_path: Path, main: str, *, forged: bool) -> None:
    with processor(tmp_path, main, "forging") as started:
        printed, _ = started.communicate(timeout=60)
    assert '{"forging": ["done", ' in printed
    assert ("forged by a worker" in printed) == forged


@linux_only
def test_a_worker_that_computes_dies_with_the_processor(tmp_path: Path) -> None:
    with processor(tmp_path, "confined_main", "spinning") as started:
        [worker] = until(lambda: pids(tmp_path))
        started.kill()
        until(lambda: not Path(f"/proc/{worker}").exists())


@linux_only
def test_without_landlock_a_worker_cannot_look_into_the_processes_that_made_it(tmp_path: Path) -> None:
    deeds = "the environment of its parent", "the memory of the process that forked it"
    with processor(tmp_path, "confined_main", *deeds, on=WITHOUT_LANDLOCK) as started:
        printed, _ = started.communicate(timeout=60)
    assert json.loads(printed.splitlines()[-1]) == {deed: ["refused", "EACCES"] for deed in deeds}, printed


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


def test_the_processor_itself_brings_no_pdf_library() -> None:
    """Only those that fork workers and are workers do: it starts sooner, and what a file does to a library cannot reach it."""
    asked = "import sys, quire_processor.main; print(*sorted({'pypdf', 'pypdfium2', 'PIL'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "\n"
