"""The messages between the processor and a worker process, which go through the worker's pipe.

Each message is JSON with its length before it (4 bytes, big endian). A small file, text or picture follows its message.
"""

from typing import Annotated

from msgspec import Meta, Struct

from quire_processor.confine import Lacking
from quire_processor.reading import Reading, RefusedCode
from quire_processor.rows import SHORT
from quire_schemas.fields import Number, Reason

MAX_FRAME = 256 * 1024  # bytes of an answer, without the text or the picture that follows it
MAX_PICTURE = 2 * 1024**2  # bytes


class Request(Struct, frozen=True):
    """A request to read one file. Every answer repeats its `number`: an answer with another number is not believed.

    A small file follows the request, in `size` bytes. For a large file `size` is None: the file lies on the workbench.
    """

    number: int
    size: int | None = None


class Confined(Struct, frozen=True, tag="confined"):
    """The first message of a worker, before it takes a file: the parts that its sandbox lacks."""

    lacking: Lacking
    number: int = 0


class Page(Struct, frozen=True, tag="page"):
    """A report of progress: `page` of `pages` has been read."""

    number: int
    page: Number
    pages: Number


class Read(Struct, frozen=True, tag="read"):
    """A report that all text is read. The picture is still to come: drawing it may crash the worker.

    A short text follows, in `size` bytes. For a long text `size` is None: the text lies on the workbench.
    """

    number: int
    reading: Reading
    size: Annotated[int, Meta(ge=0, le=SHORT)] | None = None


class Done(Struct, frozen=True, tag="done"):
    """The last answer about a file that was read. The picture follows, in `size` bytes."""

    number: int
    reading: Reading
    size: Annotated[int, Meta(ge=0, le=MAX_PICTURE)] = 0


class Failed(Struct, frozen=True, tag="failed"):
    """The last answer about a file that cannot be read; `message` is the reason, for the file's owner."""

    number: int
    code: RefusedCode
    message: Reason


class Broke(Struct, frozen=True, tag="broke"):
    """The last answer of a worker that ends by an error of its own code."""

    number: int
    traceback: str


Answer = Confined | Page | Read | Done | Failed | Broke
