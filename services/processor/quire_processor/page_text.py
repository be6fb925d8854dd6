"""Reads the text of one page, in the order in which people read it.

1. pdfium gives the lines; `_placed` finds where their pieces stand.
2. `_columns` takes apart two columns that the file has woven into each other.
3. `_lines` cuts a line that is several, and leaves out what stands outside of the visible page.
4. `in_columns` joins writing that runs downwards; `in_reading_order` orders the lines.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

from quire_processor.annotations import Rectangle
from quire_processor.columns import GUTTER, filled, running, woven
from quire_processor.glyphs import HYPHEN, Span, TextPage, plain, text_page
from quire_processor.reading_order import Box, Line, in_reading_order, union
from quire_processor.vertical import in_columns

_APART = 2.4  # half heights of a row, at least, between its middle and that of the next row; superscripts are nearer
_MOST_ROWS = 40  # rows of a line that is cut; a line with more is no text that is read in rows


class PageText(NamedTuple):
    """The text of a page. `unmapped` counts the glyphs that do not say which character they are."""

    text: str
    unmapped: int


class _Placed(NamedTuple):
    """A line, with the rows in which its pieces stand. `gap` is the only wide gap between pieces (left and right), or None."""

    span: Span
    rows: list[Box]
    gap: tuple[float, float] | None


def page_text(page: Any, drawn: Sequence[Rectangle] = ()) -> PageText:
    """Returns the text of a loaded page, with a line feed between lines. Raises Unreadable.

    `drawn` has the rectangles of annotations.
    """
    with text_page(page) as text:
        return PageText(_read(text, _visible(page), drawn), text.unmapped)


def _read(page: TextPage, visible: Rectangle, drawn: Sequence[Rectangle]) -> str:
    placed = [_placed(page, span) for span in page.spans()]
    lines = in_columns(list(_columns(page, placed, page.turn(*visible))))
    ordered = in_reading_order(lines, [page.turn(*rectangle) for rectangle in drawn])
    return "\n".join(plain(line.text) for line in ordered)


def _placed(page: TextPage, span: Span) -> _Placed:
    """Returns where a line stands. Written for speed, as it goes through every piece of text of every page."""
    rows: list[Box] = []
    gaps: list[tuple[float, float]] = []
    left = bottom = right = top = end = 0.0
    for index, (x0, y0, x1, y1) in enumerate(page.rectangles(span)):
        if index == 0:
            left, bottom, right, top = x0, y0, x1, y1
        elif (y0 > top or y1 < bottom) and abs(y0 + y1 - bottom - top) > _APART * max(top - bottom, y1 - y0):
            rows.append(Box(left, bottom, right, top))
            left, bottom, right, top = x0, y0, x1, y1
        else:
            if x0 - end > GUTTER * (top - bottom):
                gaps.append((end, x0))
            left, bottom = x0 if x0 < left else left, y0 if y0 < bottom else bottom  # noqa: FURB136 -- calls take longer
            right, top = x1 if x1 > right else right, y1 if y1 > top else top  # noqa: FURB136
        end = x1
    if end or right:
        rows.append(Box(left, bottom, right, top))
    if len(rows) > 1 and not _are_lines(rows, span.text.count(HYPHEN)):
        rows = [union(rows)]
    return _Placed(span, rows, gaps[0] if len(gaps) == len(rows) == 1 else None)


def _are_lines(rows: list[Box], hyphens: int) -> bool:
    """Returns whether each row of a line is to be a line of its own.

    Rows that pdfium has joined at hyphenated words stay one line, and rightly; so do single glyphs that stand one above the
    other, as such text runs another way.
    """
    return hyphens < len(rows) - 1 <= _MOST_ROWS and any(row.width > 2 * row.height for row in rows)


def _columns(page: TextPage, placed: list[_Placed], within: Box) -> Iterator[Line]:
    """Yields the lines. Two columns that the file has woven into each other come one after the other."""
    done = 0
    for rows in woven([one.gap for one in placed]):
        if unwoven := _unwoven(page, placed[rows.first : rows.end], rows.gutter, within):
            yield from _lines(page, placed[done : rows.first], within)
            yield from unwoven
            done = rows.end
    yield from _lines(page, placed[done:], within)


def _unwoven(page: TextPage, placed: list[_Placed], gutter: float, within: Box) -> list[Line]:
    """Returns the lines of the left column, then those of the right column; no lines where they are rows of a table."""
    sides = [
        [row._replace(right=gap[0]) for _, (row,), gap in placed if gap],
        [row._replace(left=gap[1]) for _, (row,), gap in placed if gap],
    ]
    if not all(map(filled, sides)):
        return []
    texts = [
        [page.shown(span, half) for span, _, _ in placed]
        for half in (within._replace(right=gutter), within._replace(left=gutter))
    ]
    if not all(map(running, texts)):
        return []
    return [
        Line(text.strip(" "), box)
        for column, boxes in zip(texts, sides, strict=True)
        for text, box in zip(column, boxes, strict=True)
    ]


def _lines(page: TextPage, placed: list[_Placed], within: Box) -> Iterator[Line]:
    last = Box(within.left, within.top, within.left, within.top)
    for span, rows, _ in placed:
        for part, box in _parts(page, span, rows or [last]):
            last = box
            if _contains(within, box):
                yield Line(part.text, box)
            elif _touches(within, box):
                yield Line(page.shown(part, within).strip(" "), box)


def _parts(page: TextPage, span: Span, rows: list[Box]) -> Iterator[tuple[Span, Box]]:
    """Yields a line for each row of a line. Rows that a hyphenated word connects stay one line."""
    first = end = span.first
    begun, last = 0, span.first + span.length
    for row in range(1, len(rows)):
        end = _end_of_row(page, end, last, rows[row - 1])
        if end > first and page.unit(end - 1) != ord(HYPHEN):
            yield page.span(first, end), union(rows[begun:row])
            first, begun = end, row
    if first == span.first:
        yield span, union(rows)
    elif first < last:
        yield page.span(first, last), union(rows[begun:])


def _end_of_row(page: TextPage, first: int, end: int, row: Box) -> int:
    """Returns the first unit from `first` on whose glyph does not stand in the row.

    The unit is found by bisection, as rows follow each other.
    """
    low, high = first, end
    while low < high:
        middle = (low + high) // 2
        at = next((unit for unit in range(middle, high) if page.box(unit) is not None), high)
        box = page.box(at) if at < high else None
        if box is not None and _touches(box, row):
            low = at + 1
        else:
            high = middle
    return low


def _contains(outer: Box, box: Box) -> bool:
    return outer.left <= box.left and box.right <= outer.right and outer.bottom <= box.bottom and box.top <= outer.top


def _touches(box: Box, other: Box) -> bool:
    return box.left <= other.right and box.right >= other.left and box.bottom <= other.top and box.top >= other.bottom


def _visible(page: Any) -> Rectangle:
    """Returns the visible rectangle of the page: its crop box, within its media box."""
    rectangle = pdfium_c.FS_RECTF()
    pdfium_c.FPDF_GetPageBoundingBox(page, rectangle)
    return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top
