"""What is printed for people: words, lines, tables."""

from __future__ import annotations

import os
from datetime import timedelta

import msgspec
import pytest
from rich.console import Console
from tests.client.feed import (
    ATTACHED,
    BATCH,
    NOW,
    all_failed,
    cancelled,
    completed,
    created,
    failed,
    file_view,
    processed,
    request_view,
    started,
    view,
    working,
)

from quire_cli import tables, words
from quire_cli.live import pace
from quire_cli.results import file_line
from quire_client import Batch, Item, Tracker
from quire_schemas.views import FilePosition


def told(*items: Item) -> Batch:
    tracker = Tracker(files=True)
    for item in items:
        tracker.take(item)
    return tracker.batches[BATCH]


def printed(what: object, width: int = 100) -> list[str]:
    console = Console(width=width, color_system=None, force_terminal=True)
    with console.capture() as capture:
        console.print(what)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_sizes_times_and_ages_are_short() -> None:
    assert [words.size(n) for n in (0, 999, 1_000, 3_456_789, 2.5e9, 7e12)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "3.5 MB",
        "2.5 GB",
        "7.0 TB",
    ]
    durations = [words.duration(n) for n in (0.04, 59.9, 60, 3_599, 7_322)]
    assert durations == ["0.0 s", "59.9 s", "1:00 min", "59:59 min", "2:02:02 h"]
    ages = [words.age(NOW - timedelta(seconds=n), NOW) for n in (-5, 4, 200, 7_200, 500_000)]
    assert [*ages, words.age(None)] == ["0 s", "4 s", "3 min", "2 h", "5 d", "-"]
    assert [words.batches(1), words.batches(2, "active")] == ["1 batch", "2 active batches"]
    assert [words.files(n) for n in (1, 2, 12_345)] == ["1 file", "2 files", "12,345 files"]


def test_speed_and_what_is_left_are_said_when_there_is_something_to_say() -> None:
    assert pace(50, 100, 10, words.size) == "5 bytes/s, 10.0 s left"
    assert [pace(0, 100, 10, words.size), pace(5, 100, 0.1, words.size), pace(100, 100, 10, words.size)] == ["", "", ""]


def test_a_line_for_a_file_says_what_became_of_it_and_what_to_do() -> None:
    batch = told(created("a.pdf", "b.pdf"), started(), processed("a.pdf"), failed("b.pdf"))
    assert file_line(batch.files["a.pdf"], batch) == "✓ a.pdf  3 pages  [0190e3a4]"
    assert file_line(batch.files["b.pdf"], batch) == (
        "✗ b.pdf  encrypted: The file is protected by a password. Remove the password and upload it again.  [0190e3a4]"
    )


def test_a_line_for_a_file_says_what_is_not_in_its_text() -> None:
    batch = told(created("a.pdf"), started(), processed("a.pdf", notices=ATTACHED))
    said = "attachments (prices.xlsx): 1 file is attached, and its text is not read. Save it and upload it."
    assert file_line(batch.files["a.pdf"], batch) == f"✓ a.pdf  3 pages, {said}  [0190e3a4]"


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (completed(), "completed_with_errors: 1 processed, 1 failed"),
        (all_failed(), "failed: 1 processed, 1 failed (all_files_failed: No file could be read.)"),
        (cancelled("wrong\x1b[31m folder"), "cancelled: 1 processed, 1 failed (wrong[31m folder)"),
    ],
)
def test_a_line_for_a_batch_says_how_it_ended(end: Item, line: str) -> None:
    batch = told(created("a", "b"), started(), processed("a"), failed("b"), end)
    assert words.end_of(batch).replace("\x1b", "") == f"batch {BATCH} {line}"


def test_the_live_table_keeps_id_status_and_count_however_narrow_the_terminal() -> None:
    batch = told(created("a.pdf", "b.pdf"), started(), failed("b.pdf"), working("a.pdf", 4, 80, waiting_for=["storage"]))
    [wide] = printed(tables.live([batch], NOW), 140)
    assert wide.endswith("1/2 1 failed, waiting for storage, extracting a.pdf, page 4 of 80")
    [narrow] = printed(tables.live([batch], NOW), 60)
    assert (narrow[:19], "1/2 1 failed" in narrow, narrow[-1]) == ("0190e3a4 processing", True, "…")


def test_a_batch_without_a_sign_of_life_is_said_to_be_silent() -> None:
    batch = told(created("a"), started(2))
    assert "attempt 2, no sign of life for 1 min" in printed(tables.live([batch], NOW + timedelta(seconds=65)), 140)[0]


def test_a_name_cannot_steer_the_terminal() -> None:
    name = "a\x1b]0;title\x07\u202e[bold]\udcff\x9b31m.pdf"
    file = msgspec.structs.replace(file_view("id", BATCH, "processed"), original_filename=name)
    [table] = tables.contents(msgspec.structs.replace(view(), files=[file]))
    assert printed(table, 200)[1].split()[1] == "a]0;title[bold]?31m.pdf"


def test_batches_are_listed_with_all_their_numbers() -> None:
    head, row = printed(tables.listing([view(a="processed", b="failed", c="queued")], NOW + timedelta(seconds=9)), 140)
    assert head.split("  ")[0] == "batch"
    assert row.split() == [BATCH, "default", "processing", "3", "1", "1", "9", "s", "9", "s"]


@pytest.mark.parametrize("terminal", [True, False])
def test_ids_have_eight_letters_on_a_terminal_where_80_columns_hold_every_list(
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,  # noqa: FBT001 -- a parameter of pytest
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((80, 24)))
    batch = msgspec.structs.replace(view(**{"a" * 90: "processed", "b": "failed"}), status="completed_with_errors", ended_at=NOW)
    upload = request_view("Invoices of " + "many " * 20 + "months", "processing")
    for table, whole in (
        (tables.listing([batch], NOW), BATCH),
        (tables.uploads([upload], NOW), upload.request_id),
        (next(iter(tables.contents(batch))), "a" * 8),
    ):
        head, *rows = printed(table, 80 if terminal else 4_000)
        assert ("…" in " ".join(rows)) is (terminal and whole != BATCH)
        assert rows[0].startswith(f"{whole[:8]} " if terminal else whole)
        assert all(len(line) <= 80 for line in (head, *rows)) or not terminal
        assert len(rows) == (2 if whole.startswith("aa") else 1)
        assert head.split()[0] in {"batch", "upload", "file"}


def test_what_is_to_be_said_of_a_file_stands_below_at_full_length() -> None:
    batch = view(a="processed", b="failed")
    broken = msgspec.structs.replace(batch.files[1], error_code="corrupt", error_message="The file is broken.")
    batch = msgspec.structs.replace(batch, files=[batch.files[0], broken])
    _, name, said = tables.contents(batch)
    assert printed(name, 80) == ["b"]
    assert " ".join(printed(said, 30)).split() == ["corrupt:", "The", "file", "is", "broken."]


def test_where_a_batch_is_names_file_and_page() -> None:
    position = FilePosition(file_id="a", stage="extracting", page=1, pages=2, filename="a.pdf")
    assert tables.now_at(told(created("a", "b"), started()), [position]) == "extracting a.pdf, page 1 of 2"
