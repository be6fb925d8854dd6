"""The generated documents of the contract, as they are shipped with this package.

`documents/` holds them; those of schemas/generated that are here, too, are links to them.
"""

from importlib.resources import files


def read(name: str) -> bytes:
    """Raises FileNotFoundError."""
    return files("quire_schemas").joinpath("documents", name).read_bytes()
