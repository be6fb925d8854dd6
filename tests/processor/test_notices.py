"""What a reader of the text has to know is said, with what to do; and only where it is so."""

import re
from pathlib import Path

import pytest
from tests.processor.pdf import FONT, HELVETICA, codes, lines, page, pages, read, with_catalog
from tests.samples_pdf import assembled, one_page, simple_pdf, stream

from quire_processor.limits import Limits
from quire_processor.notices import Findings, no_thumbnail, notices
from quire_schemas.fields import MAX_NAME_BYTES, MAX_NAMES, MAX_NOTICE_LENGTH, NOTICES, Notice

WORDS = lines((72, 700, "Some words"))
FILE = b"<< /Type /Filespec /F (%b) /UF (%b) /EF << /F 8 0 R >> >>"


def several(*contents: bytes) -> bytes:
    """A file of pages with these contents; an empty one stands for a scan."""
    first = 4
    kids = b" ".join(b"%d 0 R" % (first + 2 * number) for number in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, len(contents)),
        HELVETICA,
    ]
    for number, content in enumerate(contents):
        of_page = FONT.replace(b"5 0 R", b"3 0 R")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] %b /Contents %d 0 R >>" % (of_page, first + 2 * number + 1)
        )
        objects.append(stream(content))
    return assembled(objects)


def attached(*names: bytes) -> bytes:
    files = [FILE % (name, name) for name in names]
    tree = b" ".join(b"(%d) %d 0 R" % (number, 9 + number) for number in range(len(files)))
    more = (b"null", b"null", stream(b"1;2", b"/Type /EmbeddedFile"), *files)
    return with_catalog(WORDS, b"/Names << /EmbeddedFiles << /Names [%b] >> >>" % tree, b"", *more)


def test_nothing_is_said_of_a_file_whose_text_is_all_there(tmp_path: Path) -> None:
    reading = read(simple_pdf(pages=2), tmp_path)
    assert (reading.notices, reading.truncated, reading.pages_read, reading.characters) == ((), False, 2, len("Quire 1Quire 2"))


def test_of_a_scan_it_is_said_that_no_page_has_text(tmp_path: Path) -> None:
    reading = read(several(b"", b""), tmp_path)
    assert (codes(reading), reading.pages_read, reading.characters) == (["no_text"], 2, 0)


def test_pages_without_text_are_counted(tmp_path: Path) -> None:
    (notice,) = read(several(WORDS, b"", b""), tmp_path).notices
    assert (notice.code, notice.count) == ("pages_without_text", 2)


def test_a_text_that_is_cut_says_where(tmp_path: Path) -> None:
    reading = read(simple_pdf(pages=3), tmp_path, Limits(characters=10))
    assert (reading.truncated, reading.pages_read, reading.characters, reading.cut) == (True, 2, 10, True)
    (notice,) = reading.notices
    assert notice.code == "truncated"
    assert "after 10 characters, on page 2 of 3" in notice.message


def test_a_file_that_takes_too_much_computing_keeps_the_pages_that_were_read(tmp_path: Path) -> None:
    reading = read(simple_pdf(pages=3), tmp_path, Limits(cpu_seconds=0.0))
    assert (reading.truncated, reading.page_count, reading.pages_read, reading.cut) == (True, 3, 1, False)
    (notice,) = reading.notices
    assert notice.code == "truncated"
    assert "after 0 s of computing, on page 1 of 3" in notice.message
    assert (tmp_path / "pages.tsv").read_text("utf-8").split() == ["1", "Quire", "1"]


def test_what_takes_too_much_computing_on_its_last_page_is_whole(tmp_path: Path) -> None:
    reading = read(simple_pdf(pages=1), tmp_path, Limits(cpu_seconds=0.0))
    assert (reading.truncated, reading.notices) == (False, ())


def test_a_limit_that_is_just_met_cuts_nothing(tmp_path: Path) -> None:
    reading = read(simple_pdf(pages=2), tmp_path, Limits(characters=len("Quire 1Quire 2")))
    assert (reading.truncated, reading.notices) == (False, ())


def test_pages_that_cannot_be_read_are_counted_and_cost_no_other(tmp_path: Path) -> None:
    broken = several(WORDS, WORDS, WORDS).replace(b" 6 0 R ", b"[6 0 R]")
    reading = read(broken, tmp_path)
    (notice,) = reading.notices
    assert (notice.code, notice.count, reading.unreadable, reading.pages_read) == ("unreadable_pages", 1, (2,), 2)
    assert pages(broken, tmp_path) == ["Some words", "", "Some words"]


def test_an_xfa_form_is_told_from_what_its_page_says(tmp_path: Path) -> None:
    xfa = b"/AcroForm << /Fields [] /XFA 6 0 R >> /NeedsRendering true"
    assert codes(read(with_catalog(WORDS, xfa, b"", stream(b"<xdp/>")), tmp_path)) == ["xfa"]


def test_attachments_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    (notice,) = read(attached(*(b"%d.csv" % number for number in range(7))), tmp_path).notices
    assert (notice.code, notice.count) == ("attachments", 7)
    assert notice.names == tuple(f"{number}.csv" for number in range(MAX_NAMES))


def test_a_file_that_hangs_on_a_page_counts_as_attached(tmp_path: Path) -> None:
    pin = b"<< /Type /Annot /Subtype /FileAttachment /Rect [10 10 20 20] /FS 7 0 R >>"
    content = page(WORDS, b"/Annots [6 0 R]", pin, FILE % (b"a.csv", b"a.csv"), stream(b"1;2", b"/Type /EmbeddedFile"))
    (notice,) = read(content, tmp_path).notices
    assert (notice.code, notice.count, notice.names) == ("attachments", 1, ("a.csv",))


def test_names_of_attachments_are_short_and_do_not_deceive() -> None:
    found = Findings(page_count=1, pages_read=1, characters=1)
    found.attached("invoice\u202efdp.exe" + "語" * 100)
    (notice,) = notices(found)
    assert "\u202e" not in notice.names[0]
    assert len(notice.names[0].encode()) <= MAX_NAME_BYTES


def test_glyphs_without_a_meaning_are_counted_and_marked(tmp_path: Path) -> None:
    font = b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1 1] /FontMatrix [1 0 0 1 0 0] /FirstChar 1 /LastChar 1 /Widths [1] "
    font += b"/CharProcs << /g 6 0 R >> /Encoding << /Differences [1 /g] >> >>"
    glyph = stream(b"1 0 d0 0 0 1 1 re f")
    content = one_page(stream(b"BT /F1 12 Tf 72 700 Td <01> Tj ET"), FONT, more=(font, glyph))
    reading = read(content, tmp_path)
    assert [(notice.code, notice.count) for notice in reading.notices] == [("unmapped_text", 1)]
    assert pages(content, tmp_path) == ["\ufffd"]


def test_a_picture_that_cannot_be_drawn_is_no_failure(tmp_path: Path) -> None:
    reading = read(several(WORDS, WORDS).replace(b"[4 0 R", b"[99 0 R"), tmp_path)
    assert (codes(reading), reading.thumbnail) == (["unreadable_pages", "no_thumbnail"], False)


def everything() -> Findings:
    names = ["n" * MAX_NAME_BYTES] * MAX_NAMES
    found = Findings(page_count=10**9, pages_read=10**9, characters=1, without_text=10**9, unmapped=10**9, xfa=True)
    found.unreadable, found.attachments, found.names = [1], 10**9, names
    found.cut("after 20,000,000 characters", within=True)
    return found


EVERY_NOTICE = [*notices(everything()), no_thumbnail("drawing it takes too much memory")]


@pytest.mark.parametrize("notice", EVERY_NOTICE, ids=[notice.code for notice in EVERY_NOTICE])
def test_a_notice_says_what_is_so_and_then_what_to_do(notice: Notice) -> None:
    *_, advice = re.split(r"[.;:] ", notice.message)
    assert advice.split()[0] in {"Print", "Save", "Split", "Run", "Look", "open"}
    assert len(notice.message) <= MAX_NOTICE_LENGTH


def test_every_notice_is_documented() -> None:
    api = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
    assert [code for code in NOTICES if f"| `{code}` |" not in api] == []
