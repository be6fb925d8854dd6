"""PDFs for tests, made in microseconds."""

import random
import zlib
from functools import cache

from fpdf import FPDF
from fpdf.enums import EncryptionMethod


def slow_pdf(text: str = "slow", pages: int = 300) -> bytes:
    """About a second of work for each 300 pages."""
    return simple_pdf(text, pages, more=" /F1 8 Tf" + "".join(f" 0 -11 Td ({'many words ' * 10}{line}) Tj" for line in range(60)))


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


def stream(content: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), extra, content)


def one_page(content: bytes, page: bytes = b"", trailer: bytes = b"", more: tuple[bytes, ...] = ()) -> bytes:
    """A page whose content stream is this object; `more` are objects from 5 on."""
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %b >>" % page,
            content,
            *more,
        ],
        trailer,
    )


def slow_page_pdf(operators: int = 60_000_000) -> bytes:
    """A page without text that takes three CPU seconds and more to find out."""
    return one_page(stream(zlib.compress(b"q Q " * (operators // 2), 1), b"/Filter /FlateDecode"))


def bomb_pdf(megabytes: int = 2_000) -> bytes:
    """A content stream that unpacks, twice, to so much."""
    chunk = bytes(1_000_000)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(chunk) for _ in range(megabytes)) + packer.flush()
    return one_page(stream(zlib.compress(packed, 9), b"/Filter [/FlateDecode /FlateDecode]"))


def deep_page_tree_pdf(depth: int = 20_000) -> bytes:
    inner = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /Parent %d 0 R >>" % (n + 1, n - 1) for n in range(3, depth + 3)]
    leaf = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] >>" % (depth + 2)
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", *inner, leaf])


def cyclic_pdf() -> bytes:
    """The page tree is its own child."""
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 /Parent 2 0 R >>"])


def many_objects_pdf(count: int = 300_000) -> bytes:
    return one_page(stream(b""), more=(b"<< /A [1 2 3] >>",) * count)


def huge_page_pdf() -> bytes:
    return one_page(stream(b"0 0 m 1e9 1e9 l S"), b"/UserUnit 75000").replace(b"[0 0 595 842]", b"[0 0 9e9 9e9]  ")


def giant_metadata_pdf() -> bytes:
    info = b"<< /Title (%b) /Author (%b) >>" % (b"t" * 5_000_000, b"\\000\\377" * 1_000_000)
    return one_page(stream(b""), more=(info,), trailer=b"/Info 5 0 R")


def many_pages_pdf(count: int = 100_000) -> bytes:
    """All of them the same object."""
    kids = b"3 0 R " * count
    pages = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, count)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", pages, page])


def nul_and_surrogate_pdf() -> bytes:
    """A title and a text with NULs and halves of surrogate pairs."""
    title = "\ufeff".encode("utf-16-be") + b"\x00A\x00\x00\xd8\x00\x00B\xdc\x00"
    to_unicode = (
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
        b"3 beginbfchar <41> <0000> <42> <D800> <43> <DC00> endbfchar endcmap end"
    )
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    return one_page(
        stream(b"BT /F 20 Tf 72 700 Td (xAyBzCw) Tj ET"),
        b"/Resources << /Font << /F 5 0 R >> >>",
        b"/Info 7 0 R",
        (font, stream(to_unicode), b"<< /Title <%b> >>" % title.hex().encode()),
    )
