"""That PDFs are read the same, confined or not: the samples, those of the tests, and a corpus where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from tests import samples_pdf
from tests.processor.pdf import came_of, whole

from quire_processor.confine import Sandbox
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool
from quire_processor.sandbox import NotConfined

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("QUIRE_CORPUS", ROOT.parent / "shared" / "corpus"))
LIMITS = Limits(cpu_seconds=3_600.0, wall_seconds=300.0, pages=30)  # no outcome depends on how fast this machine is
MADE = {
    "simple": samples_pdf.simple_pdf(pages=3),
    "corrupt": samples_pdf.corrupt_pdf(),
    "encrypted": samples_pdf.encrypted_pdf(),
    "deep page tree": samples_pdf.deep_page_tree_pdf(),
    "cyclic": samples_pdf.cyclic_pdf(),
    "huge page": samples_pdf.huge_page_pdf(),
    "giant metadata": samples_pdf.giant_metadata_pdf(),
    "many pages": samples_pdf.many_pages_pdf(),
    "NUL and surrogates": samples_pdf.nul_and_surrogate_pdf(),
    "nothing": b"",
}


def contents(paths: Iterable[Path]) -> dict[str, bytes]:
    """Contents by name."""
    return {str(path): path.read_bytes() for path in sorted(paths)}


async def readings(pdfs: Mapping[str, bytes], sandbox: Sandbox, where: Path) -> dict[str, object]:
    """What comes of each PDF: an error's code, or all that was written down."""
    read: dict[str, object] = {}
    async with WorkerPool(1, LIMITS, where, sandbox=sandbox) as pool:
        for name, content in pdfs.items():
            extracted = await came_of(pool, where, content)
            if isinstance(extracted, str):
                read[name] = extracted
            else:
                results = whole(extracted.text), extracted.thumbnail
                read[name] = extracted.page_count, extracted.title, extracted.metadata, extracted.characters, results
    return read


async def read_differently(pdfs: Mapping[str, bytes], where: Path) -> list[str]:
    """The PDFs of which something else comes in the sandbox than without."""
    try:
        confined = await readings(pdfs, "require", where / "confined")
    except NotConfined as error:
        pytest.skip(str(error))
    free = await readings(pdfs, "off", where / "free")
    return [name for name, reading in free.items() if confined[name] != reading]


async def test_every_sample_is_read_in_the_sandbox_as_it_is_without(tmp_path: Path) -> None:
    samples = contents((ROOT / "samples" / "pdfs").glob("*.pdf"))
    assert samples
    assert await read_differently(MADE | samples, tmp_path) == []


@pytest.mark.timeout(3_600)
async def test_so_is_every_pdf_of_the_corpus(tmp_path: Path) -> None:
    corpus = contents(CORPUS.rglob("*.pdf"))
    if not corpus:
        pytest.skip(f"the corpus was NOT read: there is no PDF below {CORPUS}; QUIRE_CORPUS names a directory of PDFs")
    assert await read_differently(corpus, tmp_path) == []
