"""What a worker process cannot do that a file has taken over; each deed is shown to work first where nothing is confined."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processor import deeds

from quire_processor import worker
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool
from quire_processor.sandbox import NotConfined

LIMITS = Limits(memory_bytes=deeds.MEMORY)
Outcome = tuple[str, str]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Others whom a worker could harm: files, a process, and sockets that take datagrams."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("secret", "there"):
        (elsewhere / name).write_text("secret")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract,
        subprocess.Popen(["sleep", "600"]) as victim,
    ):
        named.bind(str(tmp_path / "socket"))
        abstract.bind("")  # the kernel chooses a name
        yield {
            "elsewhere": str(elsewhere),
            "parent": os.getpid(),
            "victim": victim.pid,
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
            "cores": list(os.sched_getaffinity(0)),
            "socket": named.getsockname(),
            "abstract": abstract.getsockname()[1:].decode(),
        }
        victim.kill()


async def outcome(deed: str, main: Callable[..., None], scene: dict[str, Any], where: Path, monkeypatch: Any) -> Outcome:
    """How the deed ends in a worker of a pool of its own, beside the directory of another worker."""
    monkeypatch.setattr(worker, "main", main)
    another = where / "scratch" / "worker-of-another"
    another.mkdir(parents=True)
    for name in ("original.pdf", "text.json"):
        (another / name).write_text("of another")
    source, target = where / "deed.json", where / "made"
    source.write_text(json.dumps({**scene, "deed": deed}))
    target.mkdir()
    async with WorkerPool(1, LIMITS, where / "scratch", sandbox="require") as pool:
        extracted = await pool.extract(source, target)
    how, what = json.loads(extracted.text_path.read_text())
    return how, what


@pytest.mark.parametrize("deed", deeds.DEEDS)
async def test_a_worker_cannot(deed: str, scene: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        how, what = await outcome(deed, deeds.confined_main, scene, tmp_path / "confined", monkeypatch)
    except NotConfined as error:
        pytest.skip(str(error))
    assert how == "refused", what
    how, what = await outcome(deed, deeds.free_main, scene, tmp_path / "free", monkeypatch)
    if how == "refused":
        pytest.skip(f"this machine refuses it to everybody: {what}")
