"""Files of an export as lines, rows and entries of an archive. Rows of the tables and objects come in, bytes go out."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from quire_notifier.plain import page_texts, plain
from quire_notifier.projecting.rows import FileRow
from quire_notifier.web.exporting.archive import ArchiveEntry
from quire_notifier.web.exporting.artefact import PagesArray
from quire_notifier.web.exporting.names import Names
from quire_notifier.web.paging import cursor_after
from quire_runtime.storage import ObjectMissing
from quire_schemas.views import FileView

Rows = AsyncIterator[FileRow]
Fetch = Callable[[str], AsyncGenerator[bytes, None]]
"""From an object's key to its bytes. Raises ObjectMissing before the first of them."""
Describe = Callable[[FileRow], FileView]

MISSING = "Missing files.txt"
"""The entry of an archive that names the files whose objects are gone."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell."""
_TEXT_COLUMNS = ("file_id", "filename", "path", "batch_id", "page", "text")
_REPORT_COLUMNS = tuple(name for name in FileView.__struct_fields__ if name not in {"notices", "links", "matches"})
_BOM = "\ufeff"
"""By which spreadsheets know UTF-8."""
_TEXT_LEVEL, _PDF_LEVEL = 4, 0


class CutShort(Exception):
    """A text in the object store is not what a processor writes: an export of it ends here, visibly."""


async def text_lines(rows: Rows, fetch: Fetch) -> AsyncGenerator[bytes, None]:
    """JSONL: a line for each file with a text. `error` stands for the pages of one whose text is gone."""
    async for row in rows:
        if row.text_key is None:
            continue
        head = msgspec.json.encode(
            {
                "file_id": row.id,
                "filename": row.original_filename,
                "path": row.path,
                "batch_id": row.batch_id,
                "page_count": row.page_count,
                "notices": Raw(row.notices.encode()),
            }
        )
        async with aclosing(fetch(row.text_key)) as chunks:
            try:
                first = await anext(chunks, b"")
            except ObjectMissing:
                yield head[:-1] + b',"pages":null,"error":"object_missing",' + _tail(row)
                continue
            pages = PagesArray()
            yield head[:-1] + b',"pages":' + pages.feed(first)
            async for chunk in chunks:
                yield pages.feed(chunk)
        if not pages.done:
            raise CutShort(row.text_key)
        yield b"," + _tail(row)


async def report_lines(rows: Rows, describe: Describe) -> AsyncGenerator[bytes, None]:
    """JSONL: every field of each file."""
    async for row in rows:
        yield msgspec.json.encode(describe(row))[:-1] + b"," + _tail(row)


async def text_table(rows: Rows, fetch: Fetch) -> AsyncGenerator[bytes, None]:
    """CSV: a row for each page that has text."""
    yield (_BOM + _line(_TEXT_COLUMNS)).encode()
    async for row in rows:
        if row.text_key is None:
            continue
        start = _line([row.id, row.original_filename, row.path or "", row.batch_id])[:-2]
        try:
            async for piece in _page_cells(fetch(row.text_key), start):
                yield piece.encode()
        except ObjectMissing:
            yield f'{start},,"[The text is gone from the object store.]"\r\n'.encode()


async def _page_cells(chunks: AsyncGenerator[bytes, None], start: str) -> AsyncIterator[str]:
    """A page's text is one quoted cell, written as it comes."""
    current = 0
    async with aclosing(chunks):
        async for page, text in page_texts(chunks):
            if page != current:
                end, guard = '"\r\n' if current else "", "'" if text.startswith(_FORMULA) else ""
                yield f'{end}{start},{page},"{guard}'
                current = page
            yield text.replace('"', '""')
    if current:
        yield '"\r\n'


async def report_table(rows: Rows, describe: Describe) -> AsyncGenerator[bytes, None]:
    """CSV: a row for each file; of its notices the codes."""
    yield (_BOM + _line([*_REPORT_COLUMNS, "notices", "original", "text", "thumbnail"])).encode()
    async for row in rows:
        view = describe(row)
        cells = [getattr(view, name) for name in _REPORT_COLUMNS]
        links = [view.links.original, view.links.text, view.links.thumbnail]
        yield _line([*cells, " ".join(notice.code for notice in view.notices), *links]).encode()


async def text_entries(rows: Rows, fetch: Fetch) -> AsyncGenerator[ArchiveEntry, None]:
    """A `.txt` for each file with a text, as `/text` gives it to people."""
    names, missing = Names(), list[str]()
    async for row in rows:
        if row.text_key is not None:
            chunks = await _begun(fetch(row.text_key))
            if chunks is None:
                missing.append(row.path or row.original_filename)
            else:
                size = 4 * (row.characters or 0)
                yield ArchiveEntry(
                    names.unique(row.path or row.original_filename, ".txt"), row.created_at, size, _TEXT_LEVEL, _plain(chunks)
                )
    for entry in _missing(names, missing):
        yield entry


async def original_entries(rows: Rows, fetch: Fetch) -> AsyncGenerator[ArchiveEntry, None]:
    """What was uploaded."""
    names, missing = Names(), list[str]()
    async for row in rows:
        chunks = await _begun(fetch(row.object_key))
        if chunks is None:
            missing.append(row.path or row.original_filename)
        else:
            name = names.unique(row.path or row.original_filename, ".pdf")
            yield ArchiveEntry(name, row.created_at, row.file_size, _PDF_LEVEL, chunks)
    for entry in _missing(names, missing):
        yield entry


async def report_entries(rows: Rows, describe: Describe) -> AsyncGenerator[ArchiveEntry, None]:
    yield ArchiveEntry("report.csv", datetime.now(UTC), 0, _TEXT_LEVEL, report_table(rows, describe))


async def _begun(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None] | None:
    """The same bytes; None where the object is missing."""
    try:
        first = await anext(chunks, b"")
    except ObjectMissing:
        return None

    async def going_on() -> AsyncGenerator[bytes, None]:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return going_on()


async def _plain(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks):
        async for text in plain(chunks):
            yield text


def _missing(names: Names, missing: list[str]) -> Iterable[ArchiveEntry]:
    """None where nothing is missing."""
    if not missing:
        return

    async def text() -> AsyncGenerator[bytes, None]:
        yield b"These files are gone from the object store:\n"
        for name in missing:
            yield f"{name}\n".encode()

    yield ArchiveEntry(names.unique(MISSING[:-4], ".txt"), datetime.now(UTC), 0, _TEXT_LEVEL, text())


def _tail(row: FileRow) -> bytes:
    """How a line ends: with where to go on after it."""
    return b'"cursor":"%b"}\n' % cursor_after(row, "upload").encode()


def _line(cells: Iterable[Any]) -> str:
    """As RFC 4180 has it. No cell is a formula: one that would be is led by an apostrophe."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
