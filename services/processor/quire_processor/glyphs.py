"""A page's text as pdfium holds it: UTF-16 units, each with the box of its glyph."""

import ctypes
import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

from quire_processor.reading_order import Box

HYPHEN = "\ufffe"
"""Stands for a hyphen at the end of a line, where the word goes on in the next one."""

_MARK = 0xFFFD  # stands for a glyph that does not say which character it is
_MOST_RECTANGLES = 64  # of a line that are examined. A line has more only if each glyph has its own.
_SAMPLE = 32  # glyphs of a page that are checked first for a missing character


class Unreadable(Exception):
    """pdfium cannot read the page."""


class Span(NamedTuple):
    """A line: its first unit, how many units it takes up, and its text."""

    first: int
    length: int
    text: str


class TextPage:
    """The text of one page and the boxes of its glyphs.

    Boxes are turned so that the page's longest line runs from left to right.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        count = max(pdfium_c.FPDFText_CountChars(handle), 0)
        self._units = (ctypes.c_ushort * (count + 2))()
        self._length = max(pdfium_c.FPDFText_GetText(handle, 0, count, self._units) - 1, 0) if count else 0
        self._even = self._length == count  # whether each of pdfium's characters is one unit
        self.unmapped = self._mark_unmapped(count)
        self.text = bytes(memoryview(self._units)[: self._length]).decode("utf-16-le", "surrogatepass")
        self._turned = 0
        self._left, self._bottom, self._right, self._top = (ctypes.c_double() for _ in range(4))

    def spans(self) -> list[Span]:
        """Returns the lines of the page, and decide how boxes are turned from then on."""
        spans, first = [], 0
        for text in self.text.split("\r\n"):
            count = len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
            spans.append(Span(first, count, text))
            first += count + 2
        longest = max(spans, key=lambda span: span.length)
        angle = pdfium_c.FPDFText_GetCharAngle(self._handle, self._character(longest.first))
        self._turned = round(-angle / (math.pi / 2)) % 4 if angle > 0 else 0
        return spans

    def span(self, first: int, end: int) -> Span:
        """Returns the span of the units from `first` to before `end`."""
        return Span(first, end - first, bytes(memoryview(self._units)[first:end]).decode("utf-16-le", "surrogatepass"))

    def unit(self, index: int) -> int:
        return int(self._units[index])

    def rectangles(self, span: Span) -> Iterator[tuple[float, float, float, float]]:
        """Yields the rectangles (left, bottom, right, top) of a span's pieces of text.

        A piece is text that the file draws at once. Of a span with very many pieces, only some are looked at.
        """
        first, end = self._character(span.first), self._character(span.first + span.length)
        handle, get, turned = self._handle, pdfium_c.FPDFText_GetRect, self._turned
        left, bottom, right, top = self._left, self._bottom, self._right, self._top
        count = pdfium_c.FPDFText_CountRects(handle, first, end - first) if end > first else 0
        for index in range(0, count, count // _MOST_RECTANGLES + 1):
            get(handle, index, left, top, right, bottom)
            if turned:
                yield self.turn(left.value, bottom.value, right.value, top.value)
            else:
                yield left.value, bottom.value, right.value, top.value

    def shown(self, span: Span, within: Box) -> str:
        """Returns the text of the span's glyphs that touch the box `within`."""
        left, bottom, right, top = self._left, self._bottom, self._right, self._top
        get, handle, kept = pdfium_c.FPDFText_GetCharBox, self._handle, array("H")
        for unit in range(span.first, span.first + span.length):
            get(handle, self._character(unit), left, right, bottom, top)
            x0, y0, x1, y1 = left.value, bottom.value, right.value, top.value
            if self._turned:
                x0, y0, x1, y1 = self.turn(x0, y0, x1, y1)
            inside = x0 <= within.right and x1 >= within.left and y0 <= within.top and y1 >= within.bottom
            if inside or (x1 <= x0 and y1 <= y0):  # a space has no box
                kept.append(self._units[unit])
        return kept.tobytes().decode("utf-16-le", "surrogatepass")

    def box(self, unit: int) -> Box | None:
        """Returns the box of one glyph; None for a space or line break that pdfium has put in."""
        left, bottom, right, top = self._left, self._bottom, self._right, self._top
        pdfium_c.FPDFText_GetCharBox(self._handle, self._character(unit), left, right, bottom, top)
        box = self.turn(left.value, bottom.value, right.value, top.value)
        return box if box.width > 0 or box.height > 0 else None

    def turn(self, left: float, bottom: float, right: float, top: float) -> Box:
        """Returns a rectangle of the page as a box, turned as all boxes are."""
        match self._turned:
            case 0:
                return Box(left, bottom, right, top)
            case 1:
                return Box(bottom, -right, top, -left)
            case 2:
                return Box(-right, -top, -left, -bottom)
            case _:
                return Box(-top, left, -bottom, right)

    def _character(self, unit: int) -> int:
        """Returns pdfium's index of the character at a unit. pdfium also counts characters that have no place in the text."""
        if self._even or unit >= self._length:
            return unit if self._even else pdfium_c.FPDFText_CountChars(self._handle)
        return int(pdfium_c.FPDFText_GetCharIndexFromTextIndex(self._handle, unit))

    def _mark_unmapped(self, count: int) -> int:
        """Returns how many glyphs do not say which character they are.

        Glyphs that would be control characters are marked in the text.
        """
        error = pdfium_c.FPDFText_HasUnicodeMapError
        if not any(error(self._handle, index) > 0 for index in range(0, count, count // _SAMPLE + 1)):
            return 0
        unmapped = [index for index in range(count) if error(self._handle, index) > 0]
        for index in unmapped:
            unit = index if self._even else pdfium_c.FPDFText_GetTextIndexFromCharIndex(self._handle, index)
            if 0 <= unit < self._length and (self._units[unit] < 0x20 or 0x7F <= self._units[unit] < 0xA0):
                self._units[unit] = _MARK
        return len(unmapped)


@contextmanager
def text_page(page: Any) -> Iterator[TextPage]:
    """A context with the text of a loaded page. Raises Unreadable."""
    handle = pdfium_c.FPDFText_LoadPage(page)
    if not handle:
        raise Unreadable
    try:
        yield TextPage(handle)
    finally:
        pdfium_c.FPDFText_ClosePage(handle)


def plain(text: str) -> str:
    """Returns the text of a line without the marks of hyphens."""
    return text.replace(HYPHEN, "")
