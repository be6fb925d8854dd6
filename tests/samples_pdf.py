"""PDFs for tests, made in microseconds."""

import random
from functools import cache

from fpdf import FPDF
from fpdf.enums import EncryptionMethod


def slow_pdf(text: str = "slow", pages: int = 300) -> bytes:
    """About a second of work for each 300 pages."""
    return simple_pdf(text, pages, more="".join(f" 0 -12 Td ({'many words ' * 10}{line}) Tj" for line in range(60)))


def simple_pdf(text: str = "Quire", pages: int = 1, more: str = "") -> bytes:
    """Pages with one line of ASCII text each: `{text} 1`, `{text} 2`, …; and the text operators of `more`."""
    font = 3 + 2 * pages
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(pages))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} /MediaBox [0 0 595 842] >>",
    ]
    for number in range(pages):
        line = f"{text} {number + 1}".replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        content = f"BT /F1 24 Tf 72 720 Td ({line}) Tj{more} ET"
        resources = f"/Resources << /Font << /F1 {font} 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {4 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    return assembled([item.encode("latin-1") for item in objects])


def assembled(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A whole file of these objects, numbered from 1; the first one is the catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, item in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, item)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def corrupt_pdf(seed: int = 0) -> bytes:
    """It begins as a PDF does; the rest is noise."""
    return b"%PDF-1.7\n" + random.Random(seed).randbytes(2_000)  # noqa: S311 -- the same noise each time


@cache
def encrypted_pdf() -> bytes:
    """It opens only with a password."""
    pdf = FPDF()
    pdf.set_encryption(owner_password="secret", user_password="secret", encryption_method=EncryptionMethod.RC4)
    pdf.add_page()
    return bytes(pdf.output())
