"""Prints to standard output and standard error: text for people, JSON lines for programs."""

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
"""Width in columns of an output that is no terminal: lines are not wrapped there, as a program or grep reads them."""


def output() -> Console:
    """Returns a console for standard output that prints text as it is, without rich's markup."""
    width = None if sys.stdout.isatty() else UNBOUNDED
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)


def printable(text: str) -> str:
    """Returns the text without characters that could steer a terminal, mislead the reader, or not be encoded."""
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
    """Prints what was found: a line of JSON for each, or a table. Warns with `nothing` when the table would be empty."""
    if as_json:
        for each in found:
            json_line(each)
    elif found:
        output().print(table(found))
    else:
        warn(nothing)


def coloured(text: str, style: str) -> Text:
    return Text(printable(text), style=style)
