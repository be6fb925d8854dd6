"""The picture of a file's first page."""

import io

import pypdfium2
from PIL import Image, JpegImagePlugin  # noqa: F401 -- else the first picture waits until all plugins are there

SIZE = (320, 452)  # pixels: an A4 page that fills a card


def thumbnail(document: pypdfium2.PdfDocument) -> bytes:
    """A JPEG file of the first page; raises anything where that does not work.

    Of a page of text it is 12 kB. WebP makes 7 kB of it, and takes ten times the CPU: more than reading the text does.
    """
    page = document[0]
    try:
        width, height = page.get_size()
        scale = min(SIZE[0] / max(width, 1), SIZE[1] / max(height, 1))
        bitmap = page.render(scale=scale, prefer_bgrx=True, rev_byteorder=True)  # Pillow would copy any other format
        image: Image.Image = bitmap.to_pil()
        image.save(file := io.BytesIO(), "JPEG", quality=75)
        return file.getvalue()
    finally:
        page.close()
