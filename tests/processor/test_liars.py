"""What a worker says is not believed unless it can be: a lie, a crash or a standstill costs its own file, and the picture alone
where the text is there.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.processor import lying
from tests.processor.pdf import came_of, whole

from quire_processor import spawning, vitals
from quire_processor.extracted import Extracted
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool

LIMITS = Limits(cpu_seconds=0.1, wall_seconds=0.6, picture_seconds=0.1, memory_bytes=1024**3)
HARMLESS = {"computing", "standing still", "giving up for memory", "killed", "a crash after the text", "computing after the text"}
HARMLESS |= {"a picture that is none", "a picture of 4 GB", "short rows that do not come"}
HARMLESS |= {"the truth", "short rows that are the truth"}
LIES = [deed for deed in lying.DEEDS if deed not in HARMLESS]


@pytest.fixture(scope="module")
async def liars(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerPool]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spawning, "work", lying.main)
        async with WorkerPool(1, LIMITS, tmp_path_factory.getbasetemp()) as pool:
            yield pool


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_costs_its_own_file_only(liars: WorkerPool, tmp_path: Path, lie: str) -> None:
    assert await came_of(liars, tmp_path, lie.encode()) == "worker_crashed"
    for truth in (b"the truth", b"short rows that are the truth"):
        assert isinstance(await came_of(liars, tmp_path, truth), Extracted)


@pytest.mark.parametrize("deed", ["computing", "standing still", "short rows that do not come"])
async def test_what_does_not_come_to_an_end_is_stopped(liars: WorkerPool, tmp_path: Path, deed: str) -> None:
    assert await came_of(liars, tmp_path, deed.encode()) == "timeout"


@pytest.mark.parametrize(
    "deed", ["a crash after the text", "computing after the text", "a picture that is none", "a picture of 4 GB"]
)
async def test_what_happens_after_the_text_costs_the_picture(liars: WorkerPool, tmp_path: Path, deed: str) -> None:
    extracted = await came_of(liars, tmp_path, deed.encode())
    assert isinstance(extracted, Extracted)
    assert ([notice.code for notice in extracted.notices], extracted.thumbnail) == (["no_thumbnail"], None)
    assert b'"text":"x"' in whole(extracted.text)


async def test_a_library_that_gives_up_for_memory_has_not_crashed(liars: WorkerPool, tmp_path: Path) -> None:
    assert await came_of(liars, tmp_path, b"giving up for memory") == "out_of_memory"


async def test_a_worker_that_the_kernel_killed_for_memory_has_not_crashed(
    liars: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter(range(100))
    monkeypatch.setattr(vitals, "oom_kills", lambda: next(kills))
    assert await came_of(liars, tmp_path, b"killed") == "out_of_memory"
