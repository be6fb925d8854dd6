"""What a worker process cannot do that a file has taken over; each deed is shown to work first where nothing is confined."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from tests.processor import deeds
from tests.processor.deeds import DEEDS, LANDLOCK, SECCOMP, Outcome

from quire_processor.sandbox import NotConfined


async def outcomes(names: Collection[str], main: Callable[..., None], where: Path) -> dict[str, Outcome]:
    """Skips where a worker cannot be confined."""
    try:
        return await deeds.outcomes(names, main, where)
    except NotConfined as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
async def confined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return await outcomes(DEEDS, deeds.confined_main, tmp_path_factory.mktemp("confined"))


@pytest.fixture(scope="module")
async def free(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return await outcomes(DEEDS, deeds.free_main, tmp_path_factory.mktemp("free"))


@pytest.mark.parametrize("deed", DEEDS)
def test_a_worker_cannot(deed: str, confined: dict[str, Outcome], free: dict[str, Outcome]) -> None:
    how, what = confined[deed]
    assert how == "refused", what
    how, what = free[deed]
    assert how != "failed", what
    if how == "refused":
        pytest.skip(f"this machine refuses it to everybody: {what}")


@pytest.mark.parametrize(
    ("main", "refused"),
    [(deeds.only_landlock_main, LANDLOCK), (deeds.only_seccomp_main, SECCOMP)],
    ids=["Landlock", "seccomp"],
)
async def test_each_part_refuses_its_deeds_without_the_other(main: Any, refused: Any, tmp_path: Path) -> None:
    how = await outcomes(refused, main, tmp_path)
    assert {name: what for name, (ended, what) in how.items() if ended != "refused"} == {}


async def test_a_worker_has_nothing_open_but_its_pipe(tmp_path: Path) -> None:
    how = await outcomes(["what it has open"], deeds.confined_main, tmp_path)
    assert how == {"what it has open": ("done", "['null', 'null', 'null', 'socket']")}


async def test_a_worker_dumps_no_core(tmp_path: Path) -> None:
    how = await outcomes(["the size of core dumps"], deeds.confined_main, tmp_path)
    assert how == {"the size of core dumps": ("done", "(0, 0)")}


async def test_what_the_libraries_load_late_is_there_all_the_same(tmp_path: Path) -> None:
    free = await outcomes(["loading"], deeds.free_main, tmp_path / "free")
    assert await outcomes(["loading"], deeds.confined_main, tmp_path / "confined") == free
