"""What becomes of a file when something is away for too long."""

from __future__ import annotations

import hashlib
import multiprocessing.forkserver
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import structs
from tests.processor.test_ownership import created

from quire_processor import pipeline as pipelines
from quire_processor.extracted import Extracted, ExtractionFailed
from quire_processor.limits import Limits
from quire_processor.metrics import FILE_STAGE_SECONDS
from quire_processor.pipeline import Job, Pipeline
from quire_processor.pool import WorkerPool
from quire_processor.shares import Shares, Turns
from quire_processor.worker_process import CannotStart, WorkerProcess
from quire_processor.workplace import Workplace
from quire_runtime.clock import SystemClock
from quire_runtime.storage import StorageRefuses, StorageUnavailable
from quire_schemas.batch import evolve
from quire_schemas.events import FileFailed, FileProcessed, FileStage

CONTENT = b"%PDF-1.4"


class Away:
    """A store of which the original can be had, and nothing can be put."""

    async def get(self, _key: str) -> bytes:
        return CONTENT

    async def put(self, *_: Any) -> None:
        raise StorageUnavailable("nobody answers")


class Refusing(Away):
    """One that lets nothing be put."""

    async def put(self, *_: Any) -> None:
        raise StorageRefuses("a", "PutObject", "AccessDenied", "no")


class Parts:
    """Documents, worker pool and watcher that are content with everything."""

    async def insert(self, *_: Any) -> None: ...
    def at(self, *_: Any) -> None: ...
    def waiting_for(self, *_: Any) -> None: ...
    def inserted(self, *_: Any) -> None: ...
    def uploaded(self, *_: Any) -> None: ...

    async def extract(self, *_: Any) -> Extracted:
        return Extracted(
            page_count=1,
            title=None,
            metadata={},
            truncated=False,
            pages_read=1,
            characters=0,
            notices=(),
            text=b"",
            pages=("",),
            thumbnail=b"",
        )


class Holding(Away):
    """One that takes everything."""

    async def put(self, *_: Any) -> None: ...


class Told(Parts):
    """Notes the stages that it is told of."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def at(self, _file_id: str, stage: str, *_: Any) -> None:
        self.stages.append(stage)


async def outcome_with(store: Any, directory: Path, outage_limit: float) -> FileFailed:
    outcome = await worked_on(store, directory, outage_limit, Parts())
    assert isinstance(outcome, FileFailed)
    return outcome


async def worked_on(store: Any, directory: Path, outage_limit: float, parts: Any) -> FileProcessed | FileFailed:
    pipeline = Pipeline(
        store=store,
        documents=parts,
        pool=parts,
        turns=Turns(2, Shares(SystemClock())),
        clock=SystemClock(),
        directory=directory,
        outage_limit=outage_limit,
    )
    state = evolve(None, created(), 0)
    assert state is not None
    [file] = state.files.values()
    file = structs.replace(file, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    return await pipeline.process(Job(batch=state, run_id="r", file=file, position=0), parts)


async def test_a_file_goes_through_every_stage_and_each_is_said_and_measured(tmp_path: Path) -> None:
    told, before = Told(), measured()
    assert isinstance(await worked_on(Holding(), tmp_path, 600.0, told), FileProcessed)
    assert tuple(told.stages) == get_args(FileStage)
    assert measured() == {stage: before[stage] + 1 for stage in get_args(FileStage)}


def measured() -> dict[str, float]:
    samples = [sample for metric in FILE_STAGE_SECONDS.collect() for sample in metric.samples]
    return {sample.labels["stage"]: sample.value for sample in samples if sample.name.endswith("_count")}


async def test_storage_that_is_away_for_too_long_fails_the_file_with_its_code(tmp_path: Path) -> None:
    outcome = await outcome_with(Away(), tmp_path, 0.01)
    assert outcome.code == "storage_unavailable"
    assert "could not be reached for too long" in outcome.message


async def test_storage_that_refuses_is_not_waited_for_as_if_it_were_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "REFUSED_SECONDS", 0.01)
    outcome = await outcome_with(Refusing(), tmp_path, 600.0)
    assert outcome.code == "storage_unavailable"
    assert "The cause is in its log" in outcome.message


async def test_where_no_worker_can_be_started_a_file_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused = WorkerProcess.start, 0

    async def at_first_not(*args: Any) -> Any:
        nonlocal refused
        refused += 1
        if refused < 3:
            raise CannotStart("no memory")
        return await start(*args)

    monkeypatch.setattr(WorkerProcess, "start", at_first_not)
    async with WorkerPool(1, Limits(), tmp_path) as pool:
        with pytest.raises(ExtractionFailed) as failure:
            await pool.extract(b"no pdf at all", Workplace(tmp_path))
    assert (failure.value.code, refused) == ("not_a_pdf", 3)


async def test_a_forkserver_that_died_is_started_again(tmp_path: Path) -> None:
    async with WorkerPool(1, Limits(files_per_worker=1), tmp_path) as pool:
        servers = []
        for _ in range(2):
            with pytest.raises(ExtractionFailed, match="PDF"):
                await pool.extract(b"no pdf at all", Workplace(tmp_path))
            servers.append(multiprocessing.forkserver._forkserver._forkserver_pid)  # type: ignore[attr-defined]
            os.kill(servers[-1], signal.SIGKILL)
    assert servers[0] != servers[1]


EXTRACTS = """
import asyncio, pathlib, sys
from quire_processor.limits import Limits
from quire_processor.extracted import ExtractionFailed
from quire_processor.pool import WorkerPool
from quire_processor.workplace import Workplace

async def extract(directory):
    async with WorkerPool(1, Limits(), directory) as pool:
        await pool.extract(b"no pdf at all", Workplace(directory))

try:
    asyncio.run(extract(pathlib.Path(sys.argv[1])))
except ExtractionFailed as error:
    print(error.code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a socket's path cannot begin with a descriptor")
def test_temporary_files_may_have_long_paths(tmp_path: Path) -> None:
    directory = tmp_path / ("long-scratch-directory-of-a-job-scheduler-" * 3)
    directory.mkdir()
    command = [sys.executable, "-c", EXTRACTS, str(directory)]
    environment = {**os.environ, "TMPDIR": str(directory)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "not_a_pdf\n", done.stderr
