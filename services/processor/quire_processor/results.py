"""Checks the results of a worker process before they are believed: a stranger's file may have taken the worker over.

The results are checked in a copy that no worker can reach: in memory, or for long texts in files. `pages.tsv` is checked line
by line. `text.json`, which is kept in object storage, is made of it here.
"""

import asyncio
import io
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from quire_processor.limits import Limits
from quire_processor.reading import Reading
from quire_processor.workbench import Workbench, WrittenRows
from quire_processor.workplace import SMALL, Workplace
from quire_schemas.fields import MAX_REASON_BYTES, MAX_TITLE_BYTES
from quire_schemas.text import is_clean

_MOST_BYTES = 4  # bytes of a character
_NUMBER_BYTES = 12  # bytes of a page's number, tab and line feed, at most


class Lie(Exception):
    """A worker's result for a file cannot be true."""


def check(reading: Reading, limits: Limits) -> None:
    """Checks what the types of Reading cannot express. Raises Lie."""
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
    """Checks the message of a failure. Raises Lie where it has control characters or is too long."""
    if not is_clean(message) or len(message.encode()) > MAX_REASON_BYTES:
        raise Lie("its message is not clean")


async def pages_and_text(
    text: bytes | None, bench: Workbench, reading: Reading, place: Workplace
) -> tuple[tuple[str, ...] | Path, bytes | Path]:
    """Returns the text of each page (or the path of `pages.tsv`, where the text is long), and `text.json`, which is made of it.

    `text` is the content of `pages.tsv`; None where that lies on the bench. Raises RowsLost, Lie, and OSError (disk full).
    """
    if text is not None:
        _require_likely(len(text), reading)
        return _in_memory(text, reading)
    with bench.written() as written:
        _require_likely(written.size, reading)
        if written.size <= SMALL:
            return await asyncio.to_thread(_in_memory, written.file.read(written.size), reading)
        return await asyncio.to_thread(_in_files, written, reading, place)


def picture(image: bytes) -> bytes | None:
    """Returns the image if it is a JPEG file; None if it is not."""
    return image if image.startswith(b"\xff\xd8\xff") else None


def _require_likely(size: int, reading: Reading) -> None:
    if size > _MOST_BYTES * reading.characters + _NUMBER_BYTES * reading.page_count:
        raise Lie("the rows are larger than their text")


def _in_memory(rows: bytes, reading: Reading) -> tuple[tuple[str, ...], bytes]:
    texts = tuple(_texts(io.BytesIO(rows), reading))
    return texts, b"".join(_json(texts, reading))


def _in_files(written: WrittenRows, reading: Reading, place: Workplace) -> tuple[Path, Path]:
    pages, text = place.path("pages.tsv"), place.path("text.json")
    with pages.open("w+b") as rows, text.open("wb") as made:
        shutil.copyfileobj(written.file, rows)
        rows.seek(0)
        made.writelines(_json(_texts(rows, reading), reading))
    return pages, text


def _json(texts: Iterable[str], reading: Reading) -> Iterator[bytes]:
    """Yields `text.json`, piece by piece. `missing` in it tells why a page has no text, or not all of it."""
    head = {
        "page_count": reading.page_count,
        "truncated": reading.truncated,
        "title": reading.title,
        "metadata": reading.metadata,
    }
    yield msgspec.json.encode(head)[:-1] + b',"pages":['
    unreadable = set(reading.unreadable)
    for number, text in enumerate(texts, start=1):
        page = {"page": number, "text": text}
        if number in unreadable:
            page["missing"] = "unreadable"
        elif number == reading.rows and reading.cut:
            page["missing"] = "cut"
        elif not text.strip():
            page["missing"] = "no_text"
        yield (b"," if number > 1 else b"") + msgspec.json.encode(page)
    yield b"]}"


def _texts(rows: IO[bytes], reading: Reading) -> Iterator[str]:
    """Yields the text of each page. Raises Lie."""
    characters = number = 0
    for number, line in enumerate(rows, start=1):
        text = _text(line, number)
        characters += len(text)
        yield text
    if (number, characters) != (reading.rows, reading.characters):
        raise Lie(f"the rows are of {number} pages with {characters} characters")


def _text(line: bytes, number: int) -> str:
    """Returns the text of a line of `pages.tsv`. Raises Lie where it has not the format that Postgres' COPY reads."""
    head, _, rest = line.partition(b"\t")
    if head != b"%d" % number or not rest.endswith(b"\n") or any(byte in rest for byte in (b"\t", b"\r", b"\0")):
        raise Lie(f"line {number} is no row")
    try:
        text = rest[:-1].decode()
    except UnicodeDecodeError as error:
        raise Lie(f"line {number} is not UTF-8") from error
    plain = text.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t")
    if "\\" in plain:
        raise Lie(f"line {number} has an escape of another kind")
    return plain.replace("\0", "\\")
