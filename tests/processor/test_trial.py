"""A processor whose workers cannot read does not start: no file is held to account for its machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from tests.processor import deeds

from quire_processor import confine, spawning, worker
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool
from quire_processor.trial import TEXT, CannotRead, read_a_page


def without_opening(pipe: socket.socket, *arguments: Any) -> None:
    """A worker on a machine where reading needs a call that the sandbox does not know."""
    known = confine.allowed
    confine.allowed = lambda pid: tuple(one for one in known(pid) if one.name != "openat")
    worker.main(pipe, *arguments)


def without_pictures(pipe: socket.socket, *arguments: Any) -> None:
    worker.read = lambda _source, rows, *_: deeds.wrote(rows, TEXT)
    worker.main(pipe, *arguments)


LOWEST = Limits(pages=1, characters=1, files_per_worker=1)


@pytest.mark.parametrize("limits", [Limits(), Limits(pictures=False), LOWEST], ids=["usual", "without pictures", "lowest"])
async def test_a_page_is_read_whatever_the_settings(limits: Limits, tmp_path: Path) -> None:
    async with WorkerPool(1, limits, tmp_path) as workers:
        await read_a_page(workers, tmp_path)


@pytest.mark.parametrize(
    ("main", "found"), [(without_opening, "worker_crashed"), (without_pictures, "text or picture is missing")]
)
async def test_a_page_that_is_not_read_ends_the_processor(main: Any, found: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(spawning, "work", main)
    async with WorkerPool(1, Limits(), tmp_path) as workers:
        if "seccomp" in workers._idle[0].lacking and main is without_opening:
            pytest.skip("there is no seccomp here that could refuse a call")
        with pytest.raises(CannotRead, match=found):
            await read_a_page(workers, tmp_path)
