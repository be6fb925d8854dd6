"""A blank font that stands in for fonts that neither the file nor this machine has.

pdfium drops characters for which it has no glyph: without a font for Chinese, Japanese or Korean, text whose glyphs are placed
one by one is lost. `blank.ttf` (624 bytes, made by tests/processor/blank_font.py) has one glyph for every character: an
invisible one, as wide and high as an ideograph. Where the system has a font, the system's font is taken.
"""

import ctypes
from importlib.resources import files
from typing import Any

import pypdfium2.raw as pdfium_c

_BLANK = files("quire_processor").joinpath("blank.ttf").read_bytes()
_HANDLE = 0xB1A2C  # stands for the blank font; the system's own fonts have other addresses
_CHARSETS = frozenset({128, 129, 134, 136})  # Japanese, Korean, simplified and traditional Chinese, as Windows numbers them


class Fonts:
    """pdfium's access to the fonts of this machine, for the whole process and until it ends.

    `missed` turns True where a file asks for a font of `_CHARSETS` that this machine lacks. `blank` says whether pdfium then
    gets the blank font.
    """

    def __init__(self) -> None:
        self.missed = False
        self.blank = False
        self._default = pdfium_c.FPDF_GetDefaultSystemFontInfo()
        self._info = pdfium_c.FPDF_SYSFONTINFO(version=1)
        kinds = dict(pdfium_c.FPDF_SYSFONTINFO._fields_)
        for name in ("EnumFonts", "MapFont", "GetFont", "GetFontData", "GetFaceName", "GetFontCharset", "DeleteFont"):
            setattr(self._info, name, kinds[name](getattr(self, f"_{name}")))  # keeps the callback alive, too
        pdfium_c.FPDF_SetSystemFontInfo(self._info)

    def _EnumFonts(self, _info: object, mapper: Any) -> None:  # noqa: N802 -- pdfium's name
        self._default.contents.EnumFonts(self._default, mapper)

    def _MapFont(self, _info: object, weight: int, italic: int, charset: int, pitch: int, face: Any, exact: Any) -> int | None:  # noqa: N802, PLR0917
        found: int | None = self._default.contents.MapFont(self._default, weight, italic, charset, pitch, face, exact)
        if found or charset not in _CHARSETS:
            return found
        self.missed = True
        return _HANDLE if self.blank else None

    def _GetFont(self, _info: object, face: Any) -> int | None:  # noqa: N802
        found: int | None = self._default.contents.GetFont(self._default, face)
        return found

    def _GetFontData(self, _info: object, font: int, table: int, buffer: Any, size: int) -> int:  # noqa: N802
        if font != _HANDLE:
            return int(self._default.contents.GetFontData(self._default, font, table, buffer, size))
        if table:
            return 0
        if buffer and size >= len(_BLANK):
            ctypes.memmove(buffer, _BLANK, len(_BLANK))
        return len(_BLANK)

    def _GetFaceName(self, _info: object, font: int, buffer: Any, size: int) -> int:  # noqa: N802
        return 0 if font == _HANDLE else int(self._default.contents.GetFaceName(self._default, font, buffer, size))

    def _GetFontCharset(self, _info: object, font: int) -> int:  # noqa: N802
        return 128 if font == _HANDLE else int(self._default.contents.GetFontCharset(self._default, font))

    def _DeleteFont(self, _info: object, font: int) -> None:  # noqa: N802
        if font != _HANDLE:
            self._default.contents.DeleteFont(self._default, font)
