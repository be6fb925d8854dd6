"""Names of parts."""

import codecs

import pytest

from quire_ingest.filenames import UNNAMED, clean, extended, parameters, relative_path, undo_latin1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a b.pdf", "a b.pdf"),
        ("dir/sub/é 文.pdf", "é 文.pdf"),
        ("a\x00b\r\nc\x1b[31m.pdf", "abc[31m.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066x\u2069.pdf", "x.pdf"),
        ("\ud800x.pdf", "x.pdf"),
        ("می‌خواهم.pdf", "می‌خواهم.pdf"),
        ("  spaced.pdf ", "spaced.pdf"),
        ("re\u0301sume\u0301.pdf", "r\u00e9sum\u00e9.pdf"),
    ],
)
def test_a_name_is_its_last_component_without_what_deceives(sent: str, kept: str):
    assert clean(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("report.pdf", None),
        ("/report.pdf", None),
        ("./report.pdf", None),
        ("2026/march/report.pdf", "2026/march/report.pdf"),
        ("2026\\march\\report.pdf", "2026/march/report.pdf"),
        ("/2026//./report.pdf", "2026/report.pdf"),
        ("../../etc/report.pdf", "etc/report.pdf"),
        ("C:\\fakepath\\report.pdf", "fakepath/report.pdf"),
        ("ma\u0308rz/\x00a\u202e.pdf", "m\u00e4rz/a.pdf"),
        ("folder/", "folder/unnamed.pdf"),
    ],
)
def test_a_path_is_that_within_the_folder_and_leads_nowhere_else(sent: str, kept: str | None):
    assert relative_path(sent) == kept


def test_of_a_long_path_the_outermost_folders_are_left_out():
    kept = relative_path("/".join(["文" * 80] * 6) + "/report.pdf")
    assert kept is not None
    assert kept == "/".join(["文" * 80] * 4) + "/report.pdf"


@pytest.mark.parametrize("sent", [None, "", "/", "..", "a/..", "\x00\x01", "\u202e", "dir/"])
def test_a_name_of_which_nothing_is_left_becomes_unnamed(sent: str | None):
    assert clean(sent) == UNNAMED


def test_a_long_name_is_shortened_to_255_bytes_and_keeps_its_suffix():
    kept = clean("文" * 200 + ".pdf")
    assert kept.endswith(".pdf")
    assert 250 <= len(kept.encode()) <= 255


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("UTF-8''%E6%96%87.pdf", "文.pdf"),
        ("utf-8'en'%c3%a9.pdf", "é.pdf"),
        ("ISO-8859-1''%e9.pdf", "é.pdf"),
        ("UTF-8''%ff%fe", None),
        ("UTF-8''", None),
        ("x.pdf", None),
        ("nonsense''x", None),
        ("undefined''x", None),
    ],
)
def test_the_extended_form_of_a_name_is_understood(value: str, name: str | None):
    assert extended(value) == name


def test_no_other_charset_is_looked_for_as_python_would_keep_its_name_for_ever():
    asked: list[str] = []
    codecs.register(asked.append)
    try:
        assert {extended(f"charset-{number}''x") for number in range(9)} == {None}
    finally:
        codecs.unregister(asked.append)
    assert asked == []


@pytest.mark.parametrize(
    ("disposition", "found"),
    [
        ('form-data; name="f"; FILENAME="x.pdf"', {"name": "f", "filename": "x.pdf"}),
        ("form-data;name=f ; filename*=UTF-8''x; a", {"name": "f", "filename*": "UTF-8''x"}),
        ("form-data; filename=\"a; filename*=UTF-8''b\"", {"filename": "a; filename*=UTF-8''b"}),
        (r'form-data; filename="\"; filename*=x"', {"filename": r"\"; filename*=x"}),
        ("form-data; filename=\"; filename*=UTF-8''b\\\"", {"filename": "; filename*=UTF-8''b\\"}),
        ("form-data; filename=\xe9.pdf", {"filename": "\xe9.pdf"}),
        ("form-data", {}),
    ],
)
def test_a_parameter_ends_where_its_quotes_do(disposition: str, found: dict[str, str]):
    assert parameters(disposition) == found


def test_a_name_in_another_charset_than_utf8_is_still_a_name():
    assert undo_latin1("æ\x96\x87.pdf") == "文.pdf"
    assert undo_latin1("é.pdf") == "é.pdf"
