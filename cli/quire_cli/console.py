"""What is printed, and how: for a terminal, for a file, for a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from rich.console import Console, RenderableType
from rich.text import Text

from quire_schemas.text import scrub, undeceptive

T = TypeVar("T")

UNBOUNDED = 4_000
"""Columns of what is no terminal: a line there is for a program, or for grep."""


def output() -> Console:
    """Standard output, that takes texts as they are."""
    width = None if sys.stdout.isatty() else UNBOUNDED
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)


def printable(text: str) -> str:
    """Without what could steer a terminal, mislead, or be no text."""
    return undeceptive(scrub(text.encode(errors="replace").decode()))


def say(text: str) -> None:
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def json_line(content: Any) -> None:
    sys.stdout.write(msgspec.json.encode(content).decode() + "\n")
    sys.stdout.flush()


def tell_all(found: Sequence[T], table: Callable[[Sequence[T]], RenderableType], *, as_json: bool, nothing: str) -> None:
    """A line of JSON for each, a table of them, or that there is none."""
    if as_json:
        for each in found:
            json_line(each)
    elif found:
        output().print(table(found))
    else:
        warn(nothing)


def coloured(text: str, style: str) -> Text:
    return Text(printable(text), style=style)
