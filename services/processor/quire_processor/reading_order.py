"""Puts the lines of a page into the order in which people read them, where the file plainly has another order. Pure.

Boxes are turned so that the text runs from left to right and the page from top to bottom, whatever the page's own direction.
Lines that the file may have in order are left alone: the order of tables and columns is the file's, unless their places
contradict it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

_MOST_BLOCKS = 100  # blocks of a page that is put in order, at most: the work grows with their square
_MOST_PAIRS = 40_000  # pairs of a line and a line that is put between the others, at most


class Box(NamedTuple):
    """The place of a text on the page. Coordinates grow to the right and upwards."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def area(self) -> float:
        return self.width * self.height


class Line(NamedTuple):
    """A line of text, or a part of one."""

    text: str
    box: Box


def union(boxes: Sequence[Box]) -> Box:
    if len(boxes) == 1:
        return boxes[0]
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return Box(min(lefts), min(bottoms), max(rights), max(tops))


def in_reading_order(lines: list[Line], drawn: Sequence[Box] = ()) -> list[Line]:
    """Returns the lines in reading order.

    A block that stands below a later one, or above an earlier one, is moved to its place. Every line within one of the boxes
    `drawn` is moved to its place, too, wherever the file has it.
    """
    if drawn:
        return _with_values(lines, drawn)
    if not any(_above(after.box, before.box) for before, after in pairwise(lines)):
        return lines
    blocks = _blocks(lines)
    if len(blocks) > _MOST_BLOCKS:
        return lines
    boxes = [union([line.box for line in block]) for block in blocks]
    strays = _strays(boxes)
    order = [index for index in range(len(boxes)) if index not in strays]
    return [line for index in _inserted(order, strays, boxes) for line in blocks[index]]


def _with_values(lines: list[Line], drawn: Sequence[Box]) -> list[Line]:
    values = {index for index, line in enumerate(lines) if any(_within(line.box, box) for box in drawn)}
    if len(values) * len(lines) > _MOST_PAIRS:
        return lines
    rest = in_reading_order([line for index, line in enumerate(lines) if index not in values])
    every = [*rest, *(lines[index] for index in values)]
    order = _inserted(list(range(len(rest))), range(len(rest), len(every)), [line.box for line in every])
    return [every[index] for index in order]


def _blocks(lines: list[Line]) -> list[list[Line]]:
    """Returns the lines in blocks: lines that follow one another closely."""
    blocks: list[list[Line]] = []
    for line in lines:
        last = blocks[-1][-1].box if blocks else None
        if last is not None and (_follows(last, line.box) or _left_of(last, line.box)):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return blocks


def _strays(boxes: list[Box]) -> set[int]:
    """Returns the indices of a few boxes in wrong places: of the other boxes, none comes before a box that stands above it.

    Boxes at the top or bottom of the page are taken first.
    """
    wrong = _wrong_pairs(boxes)
    ends = {index for index in wrong if _end_of_page(boxes[index], boxes)}
    strays = set[int]()
    while wrong:
        worst = max(wrong, key=lambda index: (index in ends, len(wrong[index]), -boxes[index].area))
        strays.add(worst)
        for other in wrong.pop(worst):
            wrong[other].discard(worst)
            if not wrong[other]:
                del wrong[other]
    return strays


def _wrong_pairs(boxes: list[Box]) -> dict[int, set[int]]:
    """Returns for each box in a wrong order the boxes that stand above it and come later, or below it and come earlier."""
    wrong: dict[int, set[int]] = defaultdict(set)
    bottoms = [box.bottom for box in boxes]
    for first, before in enumerate(boxes):
        least = before.top - 0.3 * (before.top - before.bottom)
        for second in [index for index in range(first + 1, len(boxes)) if bottoms[index] >= least]:  # few boxes are so high
            if _above(boxes[second], before):
                wrong[first].add(second)
                wrong[second].add(first)
    return wrong


def _inserted(order: list[int], others: Iterable[int], boxes: list[Box]) -> list[int]:
    """Returns the order with the others put into it, beginning with the topmost one.

    A box at the top or bottom of the page comes first or last; any other comes after the last box above it or left of it.
    """
    for index in sorted(others, key=lambda one: (-boxes[one].top, boxes[one].left)):
        order.insert(_place(boxes[index], [boxes[placed] for placed in order]), index)
    return order


def _place(box: Box, placed: list[Box]) -> int:
    if box.top <= min((other.bottom for other in placed), default=box.top) + 1:
        return len(placed)
    if box.bottom >= max(other.top for other in placed) - 1:
        return 0
    for index in range(len(placed) - 1, -1, -1):
        if _above(placed[index], box) or _left_of(placed[index], box):
            return index + 1
    return next((index for index, other in enumerate(placed) if _above(box, other) or _left_of(box, other)), len(placed))


def _end_of_page(box: Box, boxes: list[Box]) -> bool:
    """Returns whether all other boxes stand above the box, or all below it."""
    above = sum(other.bottom >= box.top - 1 for other in boxes)
    return above == len(boxes) - 1 or sum(other.top <= box.bottom + 1 for other in boxes) == len(boxes) - 1


def _within(inner: Box, outer: Box) -> bool:
    x, y = (inner.left + inner.right) / 2, (inner.bottom + inner.top) / 2
    return outer.left <= x <= outer.right and outer.bottom <= y <= outer.top


def _above(upper: Box, lower: Box) -> bool:
    """Returns whether `upper` stands above `lower`, in the same column."""
    left, bottom, right, top = lower
    if upper.bottom < top - 0.3 * min(upper.top - upper.bottom, top - bottom):
        return False
    shared = min(upper.right, right) - max(upper.left, left)
    return shared > 0.3 * min(upper.right - upper.left, right - left)


def _follows(line: Box, following: Box) -> bool:
    """Returns whether the second line goes on below the first one, and does not begin far to its left."""
    near = line.bottom - following.top < 1.2 * following.height
    return near and _above(line, following) and line.left - following.left <= 0.4 * following.width


def _left_of(left: Box, right: Box) -> bool:
    """Returns whether `left` stands left of `right`, in the same row."""
    if left.right > right.left + 1:
        return False
    shared = min(left.top, right.top) - max(left.bottom, right.bottom)
    return shared > 0.5 * min(left.top - left.bottom, right.top - right.bottom)
