"""Opens a file for reading: by pdfium, or by pypdf where pdfium cannot open the file.

The reasons for this order are in docs/design.md, "A file".
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, Protocol

import pypdfium2

from quire_processor.document import Document
from quire_processor.evidence import File, may_hide_layers, mentioned
from quire_processor.fallback import Fallback
from quire_processor.fonts import Fonts
from quire_processor.glyphs import Unreadable
from quire_processor.notices import Findings
from quire_processor.opening import CORRUPT, Refused, opened
from quire_processor.thumbnail import thumbnail

_LAYERS, _PACKED, _TITLE, _XMP, _PACKET = b"/OCProperties", b"/ObjStm", b"dc:title", b"/XML", b"<?xpacket"
_FONTS = Fonts()


class Source(Protocol):
    """An open file. Pages are counted from 0. `text` and `draw` may raise any exception."""

    found: Findings

    def text(self, index: int) -> str: ...
    def metadata(self) -> dict[str, str]: ...
    def title(self) -> str: ...
    def draw(self) -> bytes: ...


@contextmanager
def source_of(original: File) -> Iterator[Source]:
    """A context with the open file. Raises Refused."""
    fallback = Fallback(original)
    _FONTS.blank, _FONTS.missed = True, False
    found = opened(original)
    if isinstance(found, Refused):
        yield _ByPypdf(fallback, _page_count(fallback, found))
        return
    document, file = found
    try:
        if not len(document) and (count := _page_count(fallback, CORRUPT, least=0)):
            yield _ByPypdf(fallback, count)
        else:
            yield _ByPdfium(original, document, file, fallback)
    finally:
        document.close()


class _ByPdfium:
    """A file that pdfium has opened. `file` is what `document` was opened from: the original, or its repaired content."""

    def __init__(self, original: File, document: pypdfium2.PdfDocument, file: File, fallback: Fallback) -> None:
        self.found = Findings(page_count=len(document))
        self._original = original
        self._file = file
        self._fallback = fallback
        self._words = mentioned(original, (_LAYERS, _PACKED, _TITLE, _XMP, _PACKET))
        self._pdfium = document
        self._document = Document(document, self.found, self._hidden_layers())

    def text(self, index: int) -> str:
        try:
            return self._document.text(index)
        except Unreadable:
            if self._fallback.page_count() != self.found.page_count:  # pypdf would read another page
                raise
            return self._fallback.text(index)

    def metadata(self) -> dict[str, str]:
        return self._document.metadata()

    def title(self) -> str:
        """Returns the title in the file's XMP, or an empty string.

        pypdf is asked only where the file may have such a title: in plain bytes, or compressed.
        """
        if _TITLE not in self._words and (_XMP not in self._words or _PACKET in self._words):
            return ""
        with suppress(Exception):
            return self._fallback.title()
        return ""

    def draw(self) -> bytes:
        """Returns the picture of the first page, a JPEG file. May raise any exception where the page cannot be drawn."""
        if not _FONTS.missed:
            return thumbnail(self._pdfium)
        _FONTS.blank = False  # the blank font would hide letters that pdfium's own fonts can draw
        with pypdfium2.PdfDocument(self._file) as document:
            document.init_forms()
            return thumbnail(document)

    def _hidden_layers(self) -> frozenset[str]:
        packed = _PACKED in self._words
        if (packed or _LAYERS in self._words) and may_hide_layers(self._original, packed=packed):
            with suppress(Exception):
                return self._fallback.hidden_layers()
        return frozenset()


class _ByPypdf:
    """A file that pypdf reads, as pdfium cannot open it."""

    def __init__(self, fallback: Fallback, page_count: int) -> None:
        self.found = Findings(page_count=page_count)
        self._fallback = fallback

    def text(self, index: int) -> str:
        return self._fallback.text(index)

    def metadata(self) -> dict[str, str]:
        return self._fallback.metadata()

    def title(self) -> str:
        with suppress(Exception):
            return self._fallback.title()
        return ""

    def draw(self) -> NoReturn:
        raise NotImplementedError("only pdfium draws")


def _page_count(fallback: Fallback, refused: Refused, least: int = 1) -> int:
    """Returns pypdf's count of pages. Raises `refused` where pypdf cannot open the file, or finds fewer pages than `least`."""
    try:
        count = fallback.page_count()
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise refused from error
    if count < least:
        raise refused
    return count
