"""What stands on a page by annotations is read and drawn; what is only a way to somewhere is not."""

from pathlib import Path

import pytest
from PIL import Image
from tests.processor.pdf import appearance, lines, page, pages, read, with_catalog

LABELS = lines((72, 700, "Surname:"), (72, 660, "Country:"), (72, 620, "End of the form"))


def form(value: str = "Smith", field: bytes = b"/FT /Tx", catalog: bytes = b"") -> bytes:
    """A form whose field, beside its first label, has been filled in."""
    widget = (
        b"<< /Type /Annot /Subtype /Widget %b /T (a) /F 4 /Rect [140 695 340 715] /V (%b) /DA (/F1 12 Tf) /AP << /N 7 0 R >> >>"
    )
    acroform = b"/AcroForm << /Fields [6 0 R] /DA (/F1 12 Tf) /DR << /Font << /F1 5 0 R >> >> %b >>" % catalog
    return with_catalog(LABELS, acroform, b"/Annots [6 0 R]", widget % (field, value.encode()), appearance(value))


def annotated(kind: bytes, more: bytes = b"") -> bytes:
    note = b"<< /Type /Annot /Subtype /%b /F 4 /Rect [140 655 340 675] /AP << /N 7 0 R >> %b >>" % (kind, more)
    return page(LABELS, b"/Annots [6 0 R]", note, appearance("APPROVED"))


def darkness(path: Path) -> int:
    """How much ink the right half of a picture has."""
    with Image.open(path) as image:
        grey = image.convert("L").crop((image.width // 3, 0, image.width, image.height))
        return sum(255 - level for level in grey.tobytes())


def test_a_value_that_was_filled_in_is_read_at_its_place(tmp_path: Path) -> None:
    assert pages(form(), tmp_path) == ["Surname:\nSmith\nCountry:\nEnd of the form"]


@pytest.mark.parametrize("field", [b"/FT /Tx", b"/FT /Ch /Ff 131072", b"/FT /Sig"], ids=["text", "choice", "signature"])
def test_fields_of_every_kind_are_read(tmp_path: Path, field: bytes) -> None:
    assert "Smith" in pages(form(field=field), tmp_path)[0]


def test_a_value_without_an_appearance_is_read_where_the_form_asks_for_one(tmp_path: Path) -> None:
    without = form(catalog=b"/NeedAppearances true").replace(b"/AP << /N 7 0 R >>", b"                 ")
    assert "Smith" in pages(without, tmp_path)[0]


def test_a_value_is_in_the_picture(tmp_path: Path) -> None:
    read(form(value=" "), tmp_path)
    empty = darkness(tmp_path / "thumbnail.jpg")
    read(form(value="WWWWWWWWWWWWWWW"), tmp_path)
    assert darkness(tmp_path / "thumbnail.jpg") > empty


@pytest.mark.parametrize("kind", [b"FreeText", b"Stamp"])
def test_what_somebody_wrote_onto_the_page_is_read(tmp_path: Path, kind: bytes) -> None:
    assert pages(annotated(kind), tmp_path) == ["Surname:\nCountry:\nAPPROVED\nEnd of the form"]


@pytest.mark.parametrize("kind", [b"Link", b"Popup"])
def test_links_and_popups_are_no_text(tmp_path: Path, kind: bytes) -> None:
    assert pages(annotated(kind), tmp_path) == ["Surname:\nCountry:\nEnd of the form"]


def test_a_note_that_is_hidden_is_not_read(tmp_path: Path) -> None:
    hidden = annotated(b"FreeText").replace(b"/F 4 ", b"/F 2 ")
    assert "APPROVED" not in pages(hidden, tmp_path)[0]
