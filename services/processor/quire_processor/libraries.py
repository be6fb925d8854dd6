"""Loads all native code that reading a PDF can need: once a worker process is confined, nothing more becomes a program.

Python and the libraries load many parts only when a file needs them, as character sets and the ciphers of protected files.
"""

from importlib import import_module

from PIL import Image

_LOADED_LATE = (
    "_multibytecodec",
    *(f"_codecs_{where}" for where in ("cn", "hk", "iso2022", "jp", "kr", "tw")),
    "_elementtree",
)


def load() -> None:
    """Loads them; at once where they are loaded."""
    for name in _LOADED_LATE:
        import_module(name)
    Image.init()
