"""That no worker is born with the processor's credentials, whoever starts the process that forks them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from multiprocessing.forkserver import _forkserver as forkserver  # type: ignore[attr-defined]
from pathlib import Path

import pytest
from tests.processor import deeds

from quire_processor import spawning, worker_process
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool

CREDENTIALS = ("QUIRE_S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "DATABASE_URL", "KAFKA_PASSWORD")


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has credentials, and no process that forks workers for it."""
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "secret-of-the-processor")
    monkeypatch.setenv("LC_TIME", "C")
    forkserver._stop()
    yield
    forkserver._stop()


async def environment(where: Path) -> dict[str, str]:
    """That of a worker which has a file."""
    outcomes = await deeds.outcomes(["its environment"], deeds.free_main, where)
    [(_, names)] = outcomes.values()
    return ast.literal_eval(names)  # type: ignore[no-any-return]


async def test_a_worker_inherits_no_credentials(tmp_path: Path) -> None:
    inherited = await environment(tmp_path)
    assert inherited.keys() >= {"PATH", "LC_TIME"}
    assert "secret-of-the-processor" not in inherited.values()


async def test_a_forkserver_that_multiprocessing_started_by_itself_is_replaced_before_it_forks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure, found = spawning.ensure_forkserver, []

    def ensure_too_early_once() -> None:
        """The first time, as if it looked just before the process died."""
        found.append(forkserver._forkserver_pid)
        if len(found) > 1:
            ensure()

    monkeypatch.setattr(spawning, "ensure_forkserver", ensure_too_early_once)
    inherited = await environment(tmp_path)
    assert found[:1] == [None]
    assert found[1] is not None, "multiprocessing started one"
    assert forkserver._forkserver_pid not in found
    assert "secret-of-the-processor" not in inherited.values()


async def test_a_worker_that_was_born_with_credentials_takes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawning, "_PRELOAD", [])  # as where multiprocessing cannot import it so early
    monkeypatch.setattr(spawning, "ensure_forkserver", lambda: None)
    with pytest.raises(worker_process.CannotStart, match="BornWithCredentials"):
        async with WorkerPool(1, Limits(), tmp_path, patience=0.0):
            pass
