"""What a worker process leaves behind, looked at before it is believed: a stranger's file may have taken the worker over.

It is looked at in a copy, which no worker can reach: in memory, or for long texts in files. `pages.tsv` is gone through line by
line, and `text.json`, which is kept in object storage, is made of it here.
"""

import asyncio
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from quire_processor.limits import Limits
from quire_processor.reading import Reading
from quire_processor.workbench import Workbench
from quire_processor.workplace import SMALL, Workplace
from quire_schemas.events import MAX_REASON_BYTES, MAX_TITLE_BYTES
from quire_schemas.text import is_clean

_MOST_BYTES = 4  # of a character
_NUMBER_BYTES = 12  # of a page's number and what surrounds it, at most
_MOST_PICTURE_BYTES = 2 * 1024**2
_AT_ONCE = 64 * 1024  # bytes that are gone through sooner than another thread has begun to


class Lie(Exception):
    """What a worker says of a file cannot be."""


def check(reading: Reading, limits: Limits) -> None:
    """Raises Lie for what the types of Reading cannot say."""
    texts = [*reading.metadata, *reading.metadata.values(), reading.title or ""]
    texts += [text for notice in reading.notices for text in (notice.message, *notice.names)]
    if not all(map(is_clean, texts)) or len((reading.title or "").encode()) > MAX_TITLE_BYTES:
        raise Lie("its title, metadata or notices are not clean")
    if len({notice.code for notice in reading.notices}) < len(reading.notices):
        raise Lie("it gives a notice twice")
    if not reading.pages_read <= reading.rows <= reading.page_count <= limits.pages:
        raise Lie("it has read more pages than there are")
    if reading.characters > limits.characters:
        raise Lie("it has read more text than it may")


def check_message(message: str) -> None:
    """Raises Lie where the sentence of a failure is none."""
    if not is_clean(message) or len(message.encode()) > MAX_REASON_BYTES:
        raise Lie("its message is not clean")


async def pages_and_text(bench: Workbench, reading: Reading, place: Workplace) -> tuple[bytes | Path, bytes | Path]:
    """`pages.tsv`, and `text.json` made of it. Raises ResultLost, Lie, and OSError where the disk is full."""
    with bench.result("pages.tsv") as written:
        size = written.size
        if size > _MOST_BYTES * reading.characters + _NUMBER_BYTES * reading.page_count:
            raise Lie("pages.tsv is larger than its text")
        if size <= _AT_ONCE:
            return _in_memory(written.file, size, reading)
        if size <= SMALL:
            return await asyncio.to_thread(_in_memory, written.file, size, reading)
        return await asyncio.to_thread(_in_files, written.file, reading, place)


def picture(bench: Workbench) -> bytes | None:
    """The thumbnail; None where it is none. Raises ResultLost."""
    with bench.result("thumbnail.webp") as written:
        image = written.file.read(_MOST_PICTURE_BYTES + 1)
    return image if image[:4] == b"RIFF" and image[8:12] == b"WEBP" and len(image) <= _MOST_PICTURE_BYTES else None


def _in_memory(written: BinaryIO, size: int, reading: Reading) -> tuple[bytes, bytes]:
    rows, text = written.read(size), io.BytesIO()
    write_text(io.BytesIO(rows), text, reading)
    return rows, text.getvalue()


def _in_files(written: BinaryIO, reading: Reading, place: Workplace) -> tuple[Path, Path]:
    pages, text = place.path("pages.tsv"), place.path("text.json")
    with pages.open("w+b") as rows, text.open("wb") as made:
        shutil.copyfileobj(written, rows)
        rows.seek(0)
        write_text(rows, made, reading)
    return pages, text


def write_text(rows: IO[bytes], text: IO[bytes], reading: Reading) -> None:
    """Make `text.json` of `pages.tsv`; raises Lie, and OSError where the disk is full."""
    head = {
        "page_count": reading.page_count,
        "truncated": reading.truncated,
        "title": reading.title,
        "metadata": reading.metadata,
    }
    text.write(msgspec.json.encode(head)[:-1] + b',"pages":[')
    for index, page in enumerate(_pages(rows, reading)):
        text.write((b"," if index else b"") + page)
    text.write(b"]}")


def _pages(rows: IO[bytes], reading: Reading) -> Iterator[bytes]:
    """The JSON of each page: `missing` says why there is no text, or not all of it."""
    unreadable, characters, number = set(reading.unreadable), 0, 0
    for number, line in enumerate(rows, start=1):
        text = _text(line, number)
        characters += len(text)
        if number in unreadable:
            yield msgspec.json.encode({"page": number, "text": text, "missing": "unreadable"})
        elif number == reading.rows and reading.cut:
            yield msgspec.json.encode({"page": number, "text": text, "missing": "cut"})
        elif not text.strip():
            yield msgspec.json.encode({"page": number, "text": text, "missing": "no_text"})
        else:
            yield msgspec.json.encode({"page": number, "text": text})
    if (number, characters) != (reading.rows, reading.characters):
        raise Lie(f"pages.tsv has {number} pages with {characters} characters")


def _text(line: bytes, number: int) -> str:
    """The text of a line of pages.tsv, which Postgres will read, too."""
    head, _, rest = line.partition(b"\t")
    if head != b"%d" % number or not rest.endswith(b"\n") or any(byte in rest for byte in (b"\t", b"\r", b"\0")):
        raise Lie(f"line {number} of pages.tsv is none")
    try:
        text = rest[:-1].decode()
    except UnicodeDecodeError as error:
        raise Lie(f"line {number} of pages.tsv is not UTF-8") from error
    plain = text.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t")
    if "\\" in plain:
        raise Lie(f"line {number} of pages.tsv has an escape of another kind")
    return plain.replace("\0", "\\")
