"""Formats the files of an export as lines, table rows or archive entries. Rows of the tables and
objects come in, bytes go out.
"""

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
"""Yields the bytes of the object with a key. Raises ObjectMissing before the first bytes."""
Describe = Callable[[FileRow], FileView]

MISSING = "Missing files.txt"
"""The archive entry that names the files whose objects are missing."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Characters at the start of a cell that make a spreadsheet compute it."""
_TEXT_COLUMNS = ("file_id", "filename", "path", "batch_id", "page", "text")
_REPORT_COLUMNS = tuple(name for name in FileView.__struct_fields__ if name not in {"notices", "links", "matches"})
_BOM = "\ufeff"
"""The mark by which spreadsheets recognize UTF-8."""
_TEXT_LEVEL, _PDF_LEVEL = 4, 0


class CutShort(Exception):
    """A text in the object store is not what a processor writes. The export is cut off here, so that the client sees it."""


async def text_lines(rows: Rows, fetch: Fetch) -> AsyncGenerator[bytes, None]:
    """Yields JSONL with a line for each file that has a text. A file whose text is missing has `error`, and null as `pages`."""
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
    """Yields JSONL with every field of each file."""
    async for row in rows:
        yield msgspec.json.encode(describe(row))[:-1] + b"," + _tail(row)


async def text_table(rows: Rows, fetch: Fetch) -> AsyncGenerator[bytes, None]:
    """Yields CSV with a row for each page that has text."""
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
    """Yields one row for each page. The page's text is a quoted cell, written as it arrives."""
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
    """Yields CSV with a row for each file. Of its notices, the row has the codes."""
    yield (_BOM + _line([*_REPORT_COLUMNS, "notices", "original", "text", "thumbnail"])).encode()
    async for row in rows:
        view = describe(row)
        cells = [getattr(view, name) for name in _REPORT_COLUMNS]
        links = [view.links.original, view.links.text, view.links.thumbnail]
        yield _line([*cells, " ".join(notice.code for notice in view.notices), *links]).encode()


async def text_entries(rows: Rows, fetch: Fetch) -> AsyncGenerator[ArchiveEntry, None]:
    """Yields a `.txt` for each file that has a text, with the plain text that `/text` returns."""
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
    """Yields the uploaded files."""
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
    """Returns an iterator of the same bytes, or None when the object is missing."""
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
    """Yields the entry that names the missing files, if there are any."""
    if not missing:
        return

    async def text() -> AsyncGenerator[bytes, None]:
        yield b"These files are gone from the object store:\n"
        for name in missing:
            yield f"{name}\n".encode()

    yield ArchiveEntry(names.unique(MISSING[:-4], ".txt"), datetime.now(UTC), 0, _TEXT_LEVEL, text())


def _tail(row: FileRow) -> bytes:
    """Returns the end of a line: the cursor from which to go on after it."""
    return b'"cursor":"%b"}\n' % cursor_after(row, "upload").encode()


def _line(cells: Iterable[Any]) -> str:
    """Returns a CSV line (RFC 4180). A cell that a spreadsheet would take for a formula gets an apostrophe in front."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
