"""Small PDFs for the tests of what is read of a file, and the reading of them."""

from pathlib import Path

from tests.samples_pdf import assembled, one_page, stream

from quire_processor.extract import extract
from quire_processor.extracted import Extracted, ExtractionFailed
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool
from quire_processor.reading import Reading
from quire_processor.workplace import Workplace

HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
FONT = b"/Resources << /Font << /F1 5 0 R >> >>"


def read(content: bytes, directory: Path, limits: Limits | None = None) -> Reading:
    """What is read of a file with this content; its pages and picture lie in the directory then."""
    source = directory / "original.pdf"
    source.write_bytes(content)
    return extract(source, directory, limits or Limits(), lambda _page, _pages: None)


def pages(content: bytes, directory: Path, limits: Limits | None = None) -> list[str]:
    """The text of each page."""
    read(content, directory, limits)
    rows = (directory / "pages.tsv").read_text("utf-8").splitlines()
    return [row.partition("\t")[2].replace("\\n", "\n") for row in rows]


def lines(*at: tuple[float, float, str]) -> bytes:
    """Text operators that draw each text at its place."""
    shown = "".join(f"1 0 0 1 {x} {y} Tm ({text}) Tj " for x, y, text in at)
    return f"BT /F1 12 Tf {shown}ET ".encode()


def page(content: bytes, of_page: bytes = b"", *more: bytes) -> bytes:
    """A page with this content, where /F1 is Helvetica; `more` are objects from 6 on."""
    return one_page(stream(content), FONT + of_page, more=(HELVETICA, *more))


def with_catalog(content: bytes, catalog: bytes, of_page: bytes = b"", *more: bytes) -> bytes:
    """As `page`, with entries of the catalogue."""
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R %b >>" % catalog,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %b %b >>" % (FONT, of_page),
            stream(content),
            HELVETICA,
            *more,
        ]
    )


def appearance(text: str) -> bytes:
    """What an annotation shows: a line of text."""
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 200 20] " + FONT
    return stream(b"/Tx BMC BT /F1 12 Tf 2 5 Td (%b) Tj ET EMC" % text.encode(), form)


def codes(reading: Reading) -> list[str]:
    return [notice.code for notice in reading.notices]


def whole(made: bytes | Path) -> bytes:
    """What an extraction has made, wherever it is."""
    return made if isinstance(made, bytes) else made.read_bytes()


async def came_of(pool: WorkerPool, directory: Path, content: bytes) -> Extracted | str:
    """What a worker process of the pool has extracted, or the code of the failure."""
    async with Workplace(directory) as place:
        try:
            return await pool.extract(content, place)
        except ExtractionFailed as failure:
            return failure.code
