"""Reads the generated documents of the contract that are shipped with this package.

The folder `documents/` holds them; the files of the same names in schemas/generated are links to them.
"""

from importlib.resources import files


def read(name: str) -> bytes:
    """Returns the bytes of a document. Raises FileNotFoundError when there is none of that name."""
    return files("quire_schemas").joinpath("documents", name).read_bytes()
