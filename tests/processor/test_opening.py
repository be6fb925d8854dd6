"""What a file is told to be rests on the file alone; what other readers open is opened."""

from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfWriter
from tests.processor.pdf import FONT, HELVETICA, codes, lines, page, pages, read, with_catalog
from tests.samples_pdf import assembled, encrypted_pdf, simple_pdf, stream

from quire_processor.document import Document
from quire_processor.extract import Refused
from quire_processor.glyphs import Unreadable

WORDS = lines((72, 700, "Some words"))
EMPTY = assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"])


def code_of(content: bytes, directory: Path) -> str:
    with pytest.raises(Refused) as refused:
        read(content, directory)
    return refused.value.code


def test_a_verdict_does_not_depend_on_the_file_before(tmp_path: Path) -> None:
    nowhere = page(WORDS).replace(b"/Pages 2 0 R", b"             ")
    assert code_of(encrypted_pdf(), tmp_path) == "encrypted"
    assert read(EMPTY, tmp_path).page_count == 0
    assert code_of(nowhere, tmp_path) == "corrupt"


def test_a_file_without_pages_is_not_damaged(tmp_path: Path) -> None:
    reading = read(EMPTY, tmp_path)
    assert (reading.page_count, codes(reading)) == (0, ["no_text", "no_thumbnail"])
    assert "no pages" in reading.notices[0].message


def test_a_file_that_opens_with_an_empty_password_is_read(tmp_path: Path) -> None:
    writer = PdfWriter(BytesIO(simple_pdf()))
    writer.encrypt("", "of the owner", algorithm="AES-256")
    locked = BytesIO()
    writer.write(locked)
    assert pages(locked.getvalue(), tmp_path) == ["Quire 1"]


HEADERS = {
    "short": b"%PDF",
    "no dash": b"%PDF1.7",
    "no version": b"%PDF-X",
    "none": b"",
    "late": b"From a mail\r\n" * 60 + b"%PDF-1.7",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_that_other_readers_forgive_is_forgiven(tmp_path: Path, header: bytes) -> None:
    assert pages(simple_pdf().replace(b"%PDF-1.7", header), tmp_path) == ["Quire 1"]


def test_a_file_without_trailer_is_read(tmp_path: Path) -> None:
    whole = simple_pdf()
    assert pages(whole[: whole.index(b"xref")], tmp_path) == ["Quire 1"]


def test_a_page_that_pdfium_cannot_load_is_read_by_pypdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_self: Document, _index: int) -> str:
        raise Unreadable

    monkeypatch.setattr(Document, "text", unreadable)
    assert pages(simple_pdf(pages=2), tmp_path) == ["Quire 1", "Quire 2"]


def test_a_title_is_found_in_xmp(tmp_path: Path) -> None:
    xmp = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Årsrapport</rdf:li></rdf:Alt></dc:title>'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    content = with_catalog(WORDS, b"/Metadata 6 0 R", b"", stream(xmp.encode(), b"/Type /Metadata /Subtype /XML"))
    assert read(content, tmp_path).title == "Årsrapport"


def test_a_title_of_blanks_is_none(tmp_path: Path) -> None:
    content = assembled(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>", b"<< /Title ( \t ) /Author (Ada) >>"],
        b"/Info 3 0 R",
    )
    reading = read(content, tmp_path)
    assert (reading.title, reading.metadata) == (None, {"Author": "Ada"})


@pytest.mark.parametrize(("state", "text"), [(b"/OFF [6 0 R]", "Some words"), (b"/ON [6 0 R]", "Some words\nDraft")])
def test_a_layer_is_read_where_it_is_shown(tmp_path: Path, state: bytes, text: str) -> None:
    layer = b"/OC /L BDC " + lines((72, 600, "Draft")) + b"EMC"
    properties = b"/OCProperties << /OCGs [6 0 R] /D << %b >> >>" % state
    resources = FONT.replace(b"/F1 5 0 R >>", b"/F1 5 0 R >> /Properties << /L 6 0 R >>")
    content = with_catalog(WORDS + layer, properties, b"", b"<< /Type /OCG /Name (Drafts) >>").replace(FONT, resources)
    assert HELVETICA in content
    assert pages(content, tmp_path) == [text]
