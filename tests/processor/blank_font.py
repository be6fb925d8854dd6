"""`python -m tests.processor.blank_font` makes the processor's blank.ttf: an invisible glyph for every character, as large as an
ideograph.
"""

from io import BytesIO
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

import quire_processor

PATH = Path(quire_processor.__file__).with_name("blank.ttf")
_UNITS, _ASCENT, _DESCENT = 1000, 880, -120
_MADE_AT = 3_878_552_043  # seconds since 1904: the same file whenever it is made
_IDEOGRAPHS = 1 << 27  # the bit of the range that the font says it covers


def blank_font() -> bytes:
    """A TrueType font; its character map, of format 13, leads every character to the same glyph."""
    builder = FontBuilder(_UNITS, isTTF=True)
    builder.setupGlyphOrder([".notdef", "space"])
    builder.setupGlyf({".notdef": _glyph(), "space": _glyph()})
    builder.setupHorizontalMetrics({".notdef": (_UNITS, 0), "space": (_UNITS, 0)})
    builder.setupHorizontalHeader(ascent=_ASCENT, descent=_DESCENT)
    builder.setupCharacterMap({})
    every = CmapSubtable.newSubtable(13)
    every.platformID, every.platEncID, every.language = 0, 6, 0
    every.cmap = dict.fromkeys(range(0x20, 0x110000), "space")
    builder.font["cmap"].tables = [every]
    builder.setupNameTable({"familyName": "QuireBox", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=_ASCENT, usWinAscent=_ASCENT, usWinDescent=-_DESCENT, ulUnicodeRange2=_IDEOGRAPHS)
    builder.setupPost(keepGlyphNames=False)
    builder.updateHead(created=_MADE_AT, modified=_MADE_AT)
    builder.font.recalcTimestamp = False
    made = BytesIO()
    builder.save(made)
    return made.getvalue()


def _glyph() -> object:
    """Two points: they have a height and a width, and no area that could be painted."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, _DESCENT))
    pen.lineTo((_UNITS, _DESCENT + _UNITS))
    pen.closePath()
    return pen.glyph()


if __name__ == "__main__":
    PATH.write_bytes(blank_font())
