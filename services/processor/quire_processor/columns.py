"""Recognizes two columns of running text that the file holds row by row, across both columns. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from quire_processor.reading_order import Box, union

_ROWS = 5  # rows that follow one another, at least, to be taken for two columns
_WORDS = 4  # words in a line of a column on average, at least: cells of tables have fewer
_FILLED = 0.75  # part of a column's width that its lines fill on average, at least: cells of tables are of all widths
GUTTER = 1.2  # in heights of a line: a wider gap is no space between words


class RowRange(NamedTuple):
    """A range of lines, from `first` to before `end`. Each has a gap at the x coordinate `gutter`."""

    first: int
    end: int
    gutter: float


def woven(gaps: Sequence[tuple[float, float] | None]) -> Iterator[RowRange]:
    """Yields the ranges of lines that might be rows of two columns. `gaps` has the only wide gap of each line, or None."""
    first = 0
    while first < len(gaps):
        end, left, right = first, float("-inf"), float("inf")
        while end < len(gaps) and (gap := gaps[end]) is not None and max(left, gap[0]) < min(right, gap[1]):
            left, right, end = max(left, gap[0]), min(right, gap[1]), end + 1
        if end - first >= _ROWS:
            yield RowRange(first, end, (left + right) / 2)
        first = max(end, first + 1)


def filled(boxes: Sequence[Box]) -> bool:
    """Returns whether the lines of a column are placed like running text, and not like the cells of a table."""
    aligned = max(box.left for box in boxes) - min(box.left for box in boxes) < 2 * max(box.height for box in boxes)
    downwards = all(upper.bottom > lower.bottom for upper, lower in pairwise(boxes))
    return aligned and downwards and fmean(box.width for box in boxes) >= _FILLED * union(boxes).width


def running(texts: Iterable[str]) -> bool:
    """Returns whether the lines of a column have enough words for running text."""
    return fmean(len(text.split()) for text in texts) >= _WORDS
