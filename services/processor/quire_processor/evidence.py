"""Searches a file's bytes for words that make it worth asking pypdf, which takes longer than pdfium does for a whole file."""

import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

File = Path | bytes
"""A file: its path on disk, or its content."""

_CHUNK = 1024**2  # bytes
_LOOKED_AT = 32 * 1024**2  # bytes of a file at most: half at its beginning, half at its end
_OBJECT_STREAM = re.compile(rb"/ObjStm\b[^\x00]{0,400}?stream\r?\n")
_UNPACKED = 1024**2  # bytes of an object stream at most
_HIDDEN = re.compile(rb"/OFF\s*\[\s*\d|/OFF\s+\d|/BaseState\s*/OFF")


def mentioned(source: File, words: Iterable[bytes]) -> frozenset[bytes]:
    """Returns the words that stand in the file outside of its compressed parts."""
    sought, found, kept = set(words), set[bytes](), b""
    overlap = max(map(len, sought))
    for chunk in _chunks(source):
        content = kept + chunk
        found |= {word for word in sought - found if word in content}
        kept = content[-overlap:]
    return frozenset(found)


def may_hide_layers(source: File, *, packed: bool) -> bool:
    """Returns whether the file may have layers that are off when it is opened.

    `packed` says that objects may be in object streams.
    """
    content = b"".join(_chunks(source))
    parts = [content, *(_unpacked(content) if packed else ())]
    return any(part is None for part in parts) or (
        any(b"/OCProperties" in part for part in parts if part) and any(_HIDDEN.search(part) for part in parts if part)
    )


def _unpacked(content: bytes) -> Iterator[bytes | None]:
    """Yields the content of each object stream; None for a stream that cannot be decompressed."""
    view = memoryview(content)
    for match in _OBJECT_STREAM.finditer(content):
        try:
            yield zlib.decompressobj().decompress(view[match.end() : match.end() + _UNPACKED], _UNPACKED)
        except zlib.error:
            yield None


def _chunks(source: File) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    skipped = max(0, source.stat().st_size - _LOOKED_AT)
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
            if skipped and file.tell() >= _LOOKED_AT // 2:
                file.seek(skipped, 1)
                skipped = 0
