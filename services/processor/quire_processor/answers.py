"""What goes through the pipe of a worker process, both ways.

Length-prefixed JSON (4 bytes, big endian), with what is small enough after it.
"""

from typing import Annotated

from msgspec import Meta, Struct

from quire_processor.confine import Lacking
from quire_processor.reading import Reading, RefusedCode
from quire_processor.rows import SHORT
from quire_schemas.events import Number, Reason

MAX_FRAME = 256 * 1024  # bytes of an answer, without the text or the picture that follows it
MAX_PICTURE = 2 * 1024**2  # bytes


class Request(Struct, frozen=True):
    """`number` comes back in every answer: what belongs to another request is not believed. `size` bytes of a small file follow;
    a large one lies on the workbench.
    """

    number: int
    size: int | None = None


class Confined(Struct, frozen=True, tag="confined"):
    """The first answer of a worker, before it takes a file: what its sandbox lacks."""

    lacking: Lacking
    number: int = 0


class Page(Struct, frozen=True, tag="page"):
    number: int
    page: Number
    pages: Number


class Read(Struct, frozen=True, tag="read"):
    """The text is all there; the picture is still to come, and may be the worker's end. `size` bytes of the text follow; a long
    one lies on the workbench.
    """

    number: int
    reading: Reading
    size: Annotated[int, Meta(ge=0, le=SHORT)] | None = None


class Done(Struct, frozen=True, tag="done"):
    """`size` bytes of the picture follow."""

    number: int
    reading: Reading
    size: Annotated[int, Meta(ge=0, le=MAX_PICTURE)] = 0


class Failed(Struct, frozen=True, tag="failed"):
    number: int
    code: RefusedCode
    message: Reason


class Broke(Struct, frozen=True, tag="broke"):
    """The last answer of a worker that ends by a fault of its own."""

    number: int
    traceback: str


Answer = Confined | Page | Read | Done | Failed | Broke
