"""The picture of a file's first page."""

import ctypes
import io

import pypdfium2
from PIL import Image, JpegImagePlugin  # noqa: F401 -- else the first picture waits until all plugins are there

SIZE = (320, 452)  # pixels: an A4 page that fills a card
_MEMORY = (ctypes.c_ubyte * (4 * (SIZE[0] + 1) * (SIZE[1] + 1)))()
"""Of a picture: to get so much anew, and to clear it, takes a tenth of the CPU of a one-page file."""


def thumbnail(document: pypdfium2.PdfDocument) -> bytes:
    """A JPEG file of the first page; raises anything where that does not work.

    Of a page of text it is 12 kB. WebP makes 7 kB of it, and takes ten times the CPU: more than reading the text does.
    """
    page = document[0]
    try:
        width, height = page.get_size()
        scale = min(SIZE[0] / max(width, 1), SIZE[1] / max(height, 1))
        bitmap = page.render(scale=scale, prefer_bgrx=True, rev_byteorder=True, bitmap_maker=_bitmap)  # Pillow copies others
        image: Image.Image = bitmap.to_pil()
        image.save(file := io.BytesIO(), "JPEG", quality=75)
        return file.getvalue()
    finally:
        page.close()


def _bitmap(width: int, height: int, *, format: int, rev_byteorder: bool) -> pypdfium2.PdfBitmap:  # noqa: A002 -- as it is called
    """In the memory of the pictures before: pdfium fills it with white first."""
    return pypdfium2.PdfBitmap.new_native(width, height, format, rev_byteorder, buffer=_MEMORY)
