"""What a worker process leaves behind, looked at before it is believed: a stranger's file may have taken the worker over.

It is looked at in the copy that `workbench` makes: plain files, which no worker can reach. `pages.tsv` is gone through line by
line, and `text.json`, which is kept in object storage, is made of it here.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from quire_processor.limits import Limits
from quire_processor.reading import Reading
from quire_schemas.events import MAX_REASON_BYTES, MAX_TITLE_BYTES
from quire_schemas.text import is_clean

_MOST_BYTES = 4  # of a character
_NUMBER_BYTES = 12  # of a page's number and what surrounds it, at most
_MOST_PICTURE_BYTES = 2 * 1024**2


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


def write_text(directory: Path, reading: Reading) -> Path:
    """Make `text.json` of `pages.tsv` and return its path; raises Lie, and OSError where the disk is full."""
    path = directory / "text.json"
    head = {
        "page_count": reading.page_count,
        "truncated": reading.truncated,
        "title": reading.title,
        "metadata": reading.metadata,
    }
    with (directory / "pages.tsv").open("rb") as rows, path.open("xb") as text:
        if os.fstat(rows.fileno()).st_size > _MOST_BYTES * reading.characters + _NUMBER_BYTES * reading.page_count:
            raise Lie("pages.tsv is larger than its text")
        text.write(msgspec.json.encode(head)[:-1] + b',"pages":[')
        for index, page in enumerate(_pages(rows, reading)):
            text.write((b"," if index else b"") + page)
        text.write(b"]}")
    return path


def picture(directory: Path) -> Path | None:
    """The path of `thumbnail.webp`; None where it is none."""
    path = directory / "thumbnail.webp"
    with path.open("rb") as file:
        head, size = file.read(12), os.fstat(file.fileno()).st_size
    return path if head[:4] == b"RIFF" and head[8:] == b"WEBP" and size <= _MOST_PICTURE_BYTES else None


def _pages(rows: BinaryIO, reading: Reading) -> Iterator[bytes]:
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
