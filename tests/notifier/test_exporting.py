"""Exports: names that are safe and unique, texts passed on as they stand, archives that are whole or no archives."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from zipfile import BadZipFile, ZipFile

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_notifier.plain import page_texts
from quire_notifier.projecting.rows import FileRow
from quire_notifier.web.exporting import formats, steady
from quire_notifier.web.exporting.archive import Entry, zipped
from quire_notifier.web.exporting.artefact import PagesArray
from quire_notifier.web.exporting.names import Names
from quire_notifier.web.exports import rows
from quire_notifier.web.paging import FilePlace
from quire_runtime.storage import ObjectMissing, StorageUnavailable
from quire_schemas.text import searchable

NOW = datetime(2026, 11, 27, tzinfo=UTC)
PIECES = [
    "a",
    "B",
    ".pdf",
    ".PDF",
    "/",
    "..",
    ".",
    "\\",
    "C:",
    "con",
    "\0",
    "\n",
    "é",
    "e\u0301",
    " ",
    "文" * 90,
    "(2)",
    "\u202e",
    "*",
]


@given(
    st.lists(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join).filter(lambda path: path.strip("/")), max_size=30
    )
)
def test_every_name_is_another_one_and_leads_nowhere_else(paths: list[str]) -> None:
    names = Names()
    given = [names.unique(path, ".txt") for path in paths]
    assert len({searchable(name) for name in given}) == len(paths)
    folders = {searchable("/".join(name.split("/")[:depth])) for name in given for depth in range(1, name.count("/") + 1)}
    assert not folders & {searchable(name) for name in given}
    for component in (component for name in given for component in name.split("/")):
        assert component not in {"", ".", ".."}
        assert not set(component) & set('\\:*?"<>|\0\n')
        assert len(component.encode()) <= 255


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (["a.pdf", "a.pdf", "A.PDF"], ["a.txt", "a (2).txt", "A (3).txt"]),
        (["a.txt/b.pdf", "a.pdf"], ["a.txt/b.txt", "a (2).txt"]),
        (["a.pdf", "a.txt/b.pdf"], ["a.txt", "a.txt (2)/b.txt"]),
        (["/etc/passwd", "../../x.pdf"], ["etc/passwd.txt", "_/_/x.txt"]),
        (["CON.pdf", "nul", "a. "], ["_CON.txt", "_nul.txt", "a.txt"]),
    ],
)
def test_names_are_kept_as_far_as_they_can_be(paths: list[str], named: list[str]) -> None:
    names = Names()
    assert [names.unique(path, ".txt") for path in paths] == named


TEXTS = st.lists(st.text(st.sampled_from('ab"\\[]{}:,\n\u6587\U0001f600'), max_size=12), max_size=5)


@given(TEXTS, st.text(st.sampled_from('"pages:[]{}\\ '), max_size=20), st.randoms(use_true_random=False))
def test_pages_are_passed_on_as_they_stand_wherever_the_bytes_are_parted(
    texts: list[str], title: str, chance: random.Random
) -> None:
    pages = [{"page": number, "text": text} for number, text in enumerate(texts, 1)]
    whole = msgspec.json.encode(
        {"page_count": len(pages), "title": title, "metadata": {title: title}, "pages": pages, "z": [title]}
    )
    reader, given, rest = PagesArray(), b"", whole
    while rest:
        cut = chance.randint(1, 9)
        given, rest = given + reader.feed(rest[:cut]), rest[cut:]
    assert reader.done
    assert msgspec.json.decode(given) == pages


async def chunks_of(*chunks: bytes) -> AsyncGenerator[bytes, None]:
    for chunk in chunks:
        yield chunk


async def test_an_archive_is_unpacked_to_what_was_put_in() -> None:
    content = random.Random(1).randbytes(300_000)  # noqa: S311 -- the same each time

    async def entries() -> AsyncGenerator[Entry, None]:
        yield Entry("a/文.txt", NOW, 3, 4, chunks_of(b"one", b""))
        yield Entry("b.pdf", datetime(1970, 1, 1, tzinfo=UTC), len(content), 0, chunks_of(content[:100], content[100:]))
        yield Entry("large.pdf", NOW, 5 << 30, 0, chunks_of(b"it says more than it is"))

    pieces = [piece async for piece in zipped(entries())]
    archive = ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    assert [archive.read(name) for name in archive.namelist()] == [b"one", content, b"it says more than it is"]
    assert max(map(len, pieces)) < 300_000 + 70_000


async def gathered(stream: AsyncGenerator[bytes, None], pieces: list[bytes]) -> None:
    async for piece in stream:
        pieces.append(piece)  # noqa: PERF401 -- what came before an error is to be kept


async def test_an_archive_that_breaks_off_is_none() -> None:
    async def entries() -> AsyncGenerator[Entry, None]:
        yield Entry("a.txt", NOW, 3, 4, chunks_of(b"one"))
        raise StorageUnavailable("away")

    pieces: list[bytes] = []
    with pytest.raises(StorageUnavailable):
        await gathered(zipped(entries()), pieces)
    with pytest.raises(BadZipFile):
        ZipFile(io.BytesIO(b"".join(pieces)))


def row(number: int, text_key: str | None = "t") -> FileRow:
    file_id, batch_id = f"00000000-0000-4000-8000-{number:012}", "00000000-0000-4000-8000-000000000000"
    facts = ("processed", 100, batch_id, NOW, NOW, None, None, 1, None, "s", f"o{number}")
    rest = (text_key, None, False, 1, 3, "[]", None, number, None, None)
    return FileRow(file_id, "c", f"{number}.pdf", 3, *facts, *rest)


async def rows_of(*rows: FileRow) -> AsyncGenerator[FileRow, None]:
    for each in rows:
        yield each


async def fetch(key: str) -> AsyncGenerator[bytes, None]:
    if key == "gone":
        raise ObjectMissing(key)
    yield b'{"page_count":1,"pages":[{"page":1,"text":"x"}'
    if key != "cut":
        yield b"]}"


async def test_a_text_that_is_gone_is_said_to_be_in_its_line_and_in_the_archive() -> None:
    found = [row(1), row(2, None), row(3, "gone"), row(4)]
    lines = [
        msgspec.json.decode(line) for line in b"".join([p async for p in formats.text_lines(rows_of(*found), fetch)]).splitlines()
    ]
    assert [(line["filename"], line["pages"] is None, line.get("error")) for line in lines] == [
        ("1.pdf", False, None),
        ("3.pdf", True, "object_missing"),
        ("4.pdf", False, None),
    ]
    pieces = [piece async for piece in zipped(formats.text_entries(rows_of(*found), fetch))]
    archive = ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.namelist() == ["1.txt", "4.txt", "Missing files.txt"]
    assert b"3.pdf" in archive.read("Missing files.txt")


async def test_a_text_that_is_none_ends_the_export_in_the_middle_of_its_line() -> None:
    pieces: list[bytes] = []
    with pytest.raises(formats.CutShort):
        await gathered(formats.text_lines(rows_of(row(1), row(2, "cut")), fetch), pieces)
    given = b"".join(pieces)
    assert given.count(b"\n") == 1
    assert not given.endswith(b"\n")


class Stream:
    def __init__(self, data: bytes, breaks: bool) -> None:  # noqa: FBT001 -- a double
        self._chunks = [data[start : start + 10] for start in range(0, len(data), 10)]
        self._breaks = breaks

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        for number, chunk in enumerate(self._chunks):
            if self._breaks and number == 3:
                raise StorageUnavailable("broken")
            yield chunk

    async def aclose(self) -> None:
        """Nothing is held."""


class Store:
    """It breaks in the middle, so often."""

    def __init__(self, data: bytes, failures: int) -> None:
        self._data, self._failures = data, failures

    async def stream(self, _key: str, *, first: int) -> Stream:
        self._failures -= 1
        return Stream(self._data[first:], self._failures >= 0)


async def test_an_object_is_gone_on_with_from_where_the_store_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "backoff", lambda _: 0.0)
    data = bytes(range(200))
    got = [chunk async for chunk in steady.object_bytes(Store(data, 4), "key")]  # type: ignore[arg-type]  # a double
    assert b"".join(got) == data


async def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "PATIENCE_SECONDS", -1.0)
    with pytest.raises(StorageUnavailable):
        [chunk async for chunk in steady.object_bytes(Store(bytes(200), 1), "key")]  # type: ignore[arg-type]  # a double


async def test_the_texts_of_pages_are_told_apart() -> None:
    data = msgspec.json.encode(
        {
            "page_count": 9,
            "pages": [{"page": 1, "text": "a\nb"}, {"page": 2, "text": " ", "missing": "no_text"}, {"page": 3, "text": "c"}],
        }
    )
    parted = chunks_of(*(data[at : at + 3] for at in range(0, len(data), 3)))
    texts: dict[int, str] = {}
    async for page, text in page_texts(parted):
        texts[page] = texts.get(page, "") + text
    assert texts == {1: "a\nb", 2: " ", 3: "c"}


async def test_rows_are_read_on_although_the_database_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire_runtime.retry.backoff", lambda *_: 0.0)
    pages, failures = [[row(3), row(4)], [row(5)], []], [OSError("refused"), OSError("reset")]
    places: list[FilePlace] = []

    async def ask(place: FilePlace) -> list[FileRow]:
        places.append(place)
        if len(places) % 2 and failures:
            raise failures.pop()
        return pages.pop(0)

    found = [each.position async for each in rows([row(1), row(2)], ask)]
    assert found == [1, 2, 3, 4, 5]
    assert [place.position for place in places] == [2, 2, 4, 4, 5]


async def test_but_not_for_ever_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "PATIENCE_SECONDS", 0.0)

    async def ask(_place: FilePlace) -> list[FileRow]:
        raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        [each async for each in rows([row(1)], ask)]
