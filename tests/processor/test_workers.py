"""What real worker processes make of files."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.processor.pdf import came_of, lines, page, whole
from tests.samples_pdf import simple_pdf, slow_pdf

from quire_processor.extracted import Extracted
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool
from quire_processor.worker_process import WorkerProcess
from quire_processor.workplace import SMALL, Workplace


async def test_a_drawing_that_takes_too_long_costs_its_picture_only(tmp_path: Path) -> None:
    strokes = b"".join(b"%d %d m %d %d l S " % (n % 600, n * 7 % 800, n * 3 % 600, n * 11 % 800) for n in range(60_000))
    drawing = page(b"0.5 w [3 2] 0 d " + strokes + lines((72, 700, "Site plan")))
    async with WorkerPool(1, Limits(picture_seconds=0.1), tmp_path) as pool:
        extracted = await came_of(pool, tmp_path, drawing)
    assert isinstance(extracted, Extracted)
    assert [notice.code for notice in extracted.notices] == ["no_thumbnail"]
    assert b"Site plan" in whole(extracted.text)


async def test_a_real_worker_tells_what_the_events_are_made_of(tmp_path: Path) -> None:
    async with WorkerPool(1, Limits(), tmp_path) as pool:
        extracted = await came_of(pool, tmp_path, simple_pdf(pages=2))
    assert isinstance(extracted, Extracted)
    assert (extracted.page_count, extracted.pages_read, extracted.characters, extracted.notices) == (2, 2, 14, ())
    assert extracted.pages == ("Quire 1", "Quire 2")


async def test_a_long_text_comes_in_files_that_no_worker_reaches(tmp_path: Path) -> None:
    async with WorkerPool(1, Limits(), tmp_path / "workers") as pool, Workplace(tmp_path) as place:
        extracted = await pool.extract(slow_pdf("long", 300), place)
        assert isinstance(extracted.pages, Path)
        assert isinstance(extracted.text, Path)
        assert not [path for path in (extracted.pages, extracted.text) if path.is_relative_to(tmp_path / "workers")]
        texts = [page["text"] for page in json.loads(extracted.text.read_bytes())["pages"]]
        assert extracted.characters == sum(map(len, texts)) > SMALL
        rows = [f"{number}\t{text}\n".replace("\n", "\\n", text.count("\n")) for number, text in enumerate(texts, start=1)]
        assert extracted.pages.read_text() == "".join(rows)
    assert not extracted.pages.exists()


@pytest.mark.parametrize(("limits", "processes"), [(Limits(), 1), (Limits(files_per_worker=1), 3), (Limits(kept_bytes=1), 3)])
async def test_a_worker_goes_on_until_it_has_read_enough_or_keeps_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits, processes: int
) -> None:
    start, started = WorkerProcess.start, 0

    async def counted(*args: Any) -> Any:
        nonlocal started
        started += 1
        return await start(*args)

    monkeypatch.setattr(WorkerProcess, "start", counted)
    async with WorkerPool(1, limits, tmp_path) as pool:
        for _ in range(3):
            assert isinstance(await came_of(pool, tmp_path, simple_pdf()), Extracted)
    assert started == processes


async def test_pictures_can_be_done_without(tmp_path: Path) -> None:
    async with WorkerPool(1, Limits(pictures=False), tmp_path) as pool:
        extracted = await came_of(pool, tmp_path, simple_pdf())
    assert isinstance(extracted, Extracted)
    assert (extracted.thumbnail, extracted.notices) == (None, ())
