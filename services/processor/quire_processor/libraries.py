"""Loads all native code that reading a PDF can need, as a confined worker process cannot load any more code.

Python and the libraries load many parts only when a file needs them, such as character sets and the ciphers of protected files.
"""

from importlib import import_module

from PIL import Image

_LOADED_LATE = (
    "_multibytecodec",
    *(f"_codecs_{where}" for where in ("cn", "hk", "iso2022", "jp", "kr", "tw")),
    "_elementtree",
)


def load() -> None:
    """Loads the native code. Returns at once where all of it is loaded."""
    for name in _LOADED_LATE:
        import_module(name)
    Image.init()
