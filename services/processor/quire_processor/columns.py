"""Two columns of running text that the file writes row by row. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from quire_processor.reading_order import Box, union

_ROWS = 5  # in a row, before two columns are believed
_WORDS = 4  # in a line of a column on average: cells of tables have fewer
_FILLED = 0.75  # of a column's width, by its lines on average: cells of tables are of all widths
GUTTER = 1.2  # heights of a line: wider than any space between words


class RowRange(NamedTuple):
    """Lines from `first` to before `end`, all with a gap at the place `gutter`."""

    first: int
    end: int
    gutter: float


def woven(gaps: Sequence[tuple[float, float] | None]) -> Iterator[RowRange]:
    """Where lines that follow one another might be rows of two columns, by the only wide gap that each has."""
    first = 0
    while first < len(gaps):
        end, left, right = first, float("-inf"), float("inf")
        while end < len(gaps) and (gap := gaps[end]) is not None and max(left, gap[0]) < min(right, gap[1]):
            left, right, end = max(left, gap[0]), min(right, gap[1]), end + 1
        if end - first >= _ROWS:
            yield RowRange(first, end, (left + right) / 2)
        first = max(end, first + 1)


def filled(boxes: Sequence[Box]) -> bool:
    """Whether the lines of a column stand in it as running text does, and not as cells of a table."""
    aligned = max(box.left for box in boxes) - min(box.left for box in boxes) < 2 * max(box.height for box in boxes)
    downwards = all(upper.bottom > lower.bottom for upper, lower in pairwise(boxes))
    return aligned and downwards and fmean(box.width for box in boxes) >= _FILLED * union(boxes).width


def running(texts: Iterable[str]) -> bool:
    """Whether the lines of a column are long enough for running text."""
    return fmean(len(text.split()) for text in texts) >= _WORDS
