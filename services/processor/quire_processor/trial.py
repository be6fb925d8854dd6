"""Reads a page of our own before the first batch, in the same way as a stranger's file.

Where worker processes cannot read on this machine (another C library, a system call that the sandbox does not know), every file
would fail otherwise.
"""

from pathlib import Path

from quire_processor.extracted import ExtractionFailed
from quire_processor.pool import WorkerPool
from quire_processor.workplace import Workplace
from quire_runtime.errors import CannotServe

TEXT = "Quire"
PAGE = f"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 100 100]>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /Contents 4 0 R /Resources <</Font <</F 5 0 R>>>>>> endobj
4 0 obj <</Length 28>> stream
BT /F 9 Tf 9 9 Td ({TEXT}) Tj ET
endstream endobj
5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
trailer <</Root 1 0 R>>
"""


class CannotRead(CannotServe):
    """No worker process can read a PDF on this machine. Look at the log; where the sandbox is the cause, set QUIRE_SANDBOX=off
    until that is mended.
    """

    def __init__(self, found: str) -> None:
        super().__init__(
            f"worker processes cannot read a PDF on this machine ({found}). Look at the log; where the sandbox is the cause, "
            "report it, and set QUIRE_SANDBOX=off meanwhile"
        )


async def read_a_page(workers: WorkerPool, directory: Path) -> None:
    """Reads the page twice: from the disk, as large files are read, and from memory.

    Raises CannotRead where text or picture are missing. `directory` is where files lie while they are worked on.
    """
    async with Workplace(directory) as place:
        original = place.path("original.pdf")
        original.write_text(PAGE)
        for source in (original, PAGE.encode()):
            await _read(workers, source, place)


async def _read(workers: WorkerPool, source: Path | bytes, place: Workplace) -> None:
    try:
        extracted = await workers.extract(source, place)
    except ExtractionFailed as failure:
        raise CannotRead(failure.code) from failure
    drawn = extracted.thumbnail is not None
    if extracted.characters != min(len(TEXT), workers.limits.characters) or drawn != workers.limits.pictures:
        raise CannotRead("text or picture is missing")
