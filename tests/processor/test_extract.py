"""What a file is told to be that no library opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.samples_pdf import corrupt_pdf, encrypted_pdf, one_page, simple_pdf

from quire_processor.extract import Refused, extract
from quire_processor.limits import Limits

CONTENT = b"<< /Length 0 >>\nstream\n\nendstream"
FOR_RECIPIENTS = (
    b"/Encrypt << /Filter /Adobe.PubSec /SubFilter /adbe.pkcs7.s4 /V 1 /Length 40 /Recipients [<30>] >> /ID [<00> <00>]"
)


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        (encrypted_pdf(), "encrypted", "protected by a password"),
        (one_page(CONTENT, trailer=FOR_RECIPIENTS), "encrypted", "by its recipients only"),
        (corrupt_pdf(), "corrupt", "is damaged"),
        (b"PK", "not_a_pdf", "Convert it to PDF"),
        (b"", "empty", "is empty"),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path: Path, content: bytes, code: str, sentence: str) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(content)
    with pytest.raises(Refused, match=sentence) as refused:
        extract(source, tmp_path, Limits(), lambda _page, _pages: None)
    assert refused.value.code == code


def test_what_can_be_opened_is_written_down(tmp_path: Path) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(simple_pdf("Quire", pages=2))
    reading = extract(source, tmp_path, Limits(), lambda _page, _pages: None)
    assert (reading.page_count, reading.truncated, reading.thumbnail) == (2, False, True)
    assert (tmp_path / "pages.tsv").read_text().splitlines() == ["1\tQuire 1", "2\tQuire 2"]
