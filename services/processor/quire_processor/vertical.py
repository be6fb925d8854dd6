"""Orders writing that runs downwards, in columns from right to left, as Chinese and Japanese may. Pure."""

import re

from quire_processor.reading_order import Line, union

_IDEOGRAPHS = re.compile("[\u2e80-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]")


def in_columns(lines: list[Line]) -> list[Line]:
    """Returns the lines of a page. Where most of its text runs downwards, each column is joined to a line, in reading order."""
    if not any(_IDEOGRAPHS.search(line.text) for line in lines if not line.text.isascii()):
        return lines
    joined = _joined(lines)
    downwards = sum(len(line.text) for line in joined if _runs_downwards(line))
    if 2 * downwards < sum(len(line.text) for line in joined):
        return lines
    return _from_the_right(joined)


def _joined(lines: list[Line]) -> list[Line]:
    """Returns the lines with columns joined: pdfium gives each glyph of a column as a line of its own."""
    joined: list[Line] = []
    for line in lines:
        if joined and _goes_on(joined[-1], line):
            last = joined.pop()
            joined.append(Line(last.text + line.text, union([last.box, line.box])))
        else:
            joined.append(line)
    return joined


def _from_the_right(lines: list[Line]) -> list[Line]:
    """Returns the lines with adjacent columns put in order from right to left."""
    ordered: list[Line] = []
    run: list[Line] = []
    for line in lines:
        if run and not (_in_column(line) and _beside(run[-1], line)):
            ordered += sorted(run, key=lambda one: -one.box.right)
            run = []
        if _in_column(line):
            run.append(line)
        else:
            ordered.append(line)
    return ordered + sorted(run, key=lambda one: -one.box.right)


def _goes_on(column: Line, line: Line) -> bool:
    """Returns whether a line of one or two glyphs continues the column: it stands where the next glyph is due."""
    if not (_in_column(column) and _in_column(line) and len(line.text) <= 2):
        return False
    size = line.box.height
    gap = column.box.bottom - line.box.top
    return min(column.box.right, line.box.right) > max(column.box.left, line.box.left) and abs(gap) < 0.8 * size


def _beside(column: Line, other: Line) -> bool:
    shared = min(column.box.top, other.box.top) - max(column.box.bottom, other.box.bottom)
    return shared > 0.5 * min(column.box.height, other.box.height)


def _in_column(line: Line) -> bool:
    """Returns whether the line may be a column, or a part of one."""
    return _ideographic(line.text) and (len(line.text) <= 2 or line.box.height > line.box.width)


def _runs_downwards(line: Line) -> bool:
    return len(line.text) > 2 and _in_column(line)


def _ideographic(text: str) -> bool:
    return 2 * len(_IDEOGRAPHS.sub("", text)) < len(text)
