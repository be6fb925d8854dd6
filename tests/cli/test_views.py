"""A submission as plain lines, as JSON lines, and above the bars of a terminal."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import pytest
from msgspec import structs
from rich.console import Console
from tests.client.feed import ATTACHED, BATCH, completed, created, failed, processed, started

from quire_cli.delivery import Phase
from quire_cli.gather import Chosen, Gathered, Unreadable
from quire_cli.live import LiveView
from quire_cli.results import Result
from quire_cli.views import JsonView, PlainView
from quire_client import Tracker
from quire_schemas.messages import AnyFeedMessage
from quire_schemas.views import Accepted, CreatedBatch, CreatedFile, RejectedFile

STORY = (created("a.pdf", "b.pdf"), started(), processed("a.pdf"), failed("b.pdf"), completed())
FILES = [Chosen(Path("a.pdf"), 10, 0), Chosen(Path("b.pdf"), 10, 0), Chosen(Path("c.txt"), 1, 0)]
REJECTED = RejectedFile(filename="c.txt", code="not_a_pdf", message="This is no PDF. Upload PDF files only.")
ANSWER = Accepted(
    request_id="r",
    collection_id="default",
    accepted=2,
    rejected=[REJECTED],
    batches=[
        CreatedBatch(batch_id=BATCH, files=[CreatedFile(file_id=name, filename=name, size=10) for name in ("a.pdf", "b.pdf")])
    ],
)
FAILED = "✗ b.pdf  encrypted: The file is protected by a password. Remove the password and upload it again.  [0190e3a4]"


class Told:
    """The parts of a Delivery that a view looks at."""

    def __init__(self, count: int = 3) -> None:
        self.gathered = Gathered(FILES[:count], [Unreadable("gone.pdf", "no such file or directory")], 1)
        self.tracker = Tracker(files=True)

    def to(self, view: Any, story: Sequence[AnyFeedMessage] = STORY) -> Result:
        view.sent(self.gathered.files, ANSWER)
        for message in story:
            self.tracker.take(message)
            view.message(message, self.tracker.batches[BATCH])
        return self.result()

    def result(self) -> Result:
        return Result(
            gathered=self.gathered,
            rejected=[REJECTED],
            batches=list(self.tracker.batches.values()),
            accepted=2,
            waited=True,
            stopped=False,
            seconds=1.25,
        )


def test_plain_lines_tell_results_on_stdout_and_troubles_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView()
    view.lost("the connection broke off", 0.5)
    view.back()
    view.end(Told().to(view))
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "Uploaded 3 files: 2 accepted in 1 batch",
        "✓ a.pdf  3 pages  [0190e3a4]",
        FAILED,
        f"batch {BATCH} completed_with_errors: 1 processed, 1 failed",
        "1 of 3 files processed in 1.2 s, 1 failed, 1 rejected, 1 could not be read",
    ]
    assert shown.err.splitlines() == [
        "The connection to the notifier is lost (the connection broke off); trying again in 0.5 s.",
        "Connected again, and caught up.",
        "✗ c.txt  rejected, not_a_pdf: This is no PDF. Upload PDF files only.",
    ]


def test_json_lines_are_the_answer_the_feed_and_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonView()
    view.end(Told().to(view))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == [
        "SUBMITTED",
        "BATCH_CREATED",
        "BATCH_PROCESSING_STARTED",
        "FILES_PROCESSED",
        "FILES_PROCESSED",
        "BATCH_PROCESSING_COMPLETED",
        "RESULT",
    ]
    result = lines[-1]
    assert (result["exit_code"], result["accepted"], result["processed"], result["failed"]) == (1, 2, 1, 1)
    assert result["rejected"] == [{"filename": "c.txt", "code": "not_a_pdf", "message": "This is no PDF. Upload PDF files only."}]
    assert result["unreadable"] == [{"path": "gone.pdf", "reason": "no such file or directory"}]
    [batch] = result["batches"]
    assert [(file["filename"], file["status"], file["error_code"]) for file in batch["files"]] == [
        ("a.pdf", "processed", None),
        ("b.pdf", "failed", "encrypted"),
    ]


def test_the_result_says_how_much_of_a_files_text_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    cut = structs.replace(processed("a.pdf", notices=ATTACHED), page_count=5, pages_read=3, characters=31, truncated=True)
    view = JsonView()
    view.end(Told().to(view, [*STORY[:2], cut, *STORY[3:]]))
    [batch] = json.loads(capsys.readouterr().out.splitlines()[-1])["batches"]
    some, none = batch["files"]
    names = ("page_count", "pages_read", "characters", "truncated")
    assert [some[name] for name in names] == [5, 3, 31, True]
    assert [notice["code"] for notice in some["notices"]] == ["attachments"]
    assert [none[name] for name in (*names, "notices")] == [None, None, None, False, []]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 1),
        ({"rejected": []}, 1),
        ({"rejected": [], "gathered": Gathered(), "batches": []}, 0),
        ({"rejected": [], "gathered": Gathered(), "batches": [], "stopped": True}, 1),
        ({"rejected": [], "gathered": Gathered(), "waited": False}, 0),
    ],
)
def test_the_exit_code_is_0_only_if_everything_that_was_named_is_processed(changes: dict[str, Any], code: int) -> None:
    told = Told()
    told.to(JsonView())
    result = told.result()
    whole = {name: getattr(result, name) for name in result.__struct_fields__}
    assert Result(**(whole | changes)).exit_code == code


@pytest.fixture
def keyboard() -> Iterator[tuple[int, TextIO]]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as typed:
        yield ours, typed
    os.close(ours)


def live(keyboard: TextIO | None) -> tuple[LiveView, io.StringIO]:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system=None, width=120, markup=False, highlight=False)
    return LiveView(console, keyboard), screen


async def test_what_happens_while_a_question_is_open_is_shown_after_the_answer(keyboard: tuple[int, TextIO]) -> None:
    ours, typed = keyboard
    view, screen = live(typed)
    asked = asyncio.create_task(view.ask("Cancel? "))
    while "Cancel? " not in screen.getvalue():
        await asyncio.sleep(0)
    view.again("Nobody answers.", 1)
    assert "Nobody answers" not in screen.getvalue()
    os.write(ours, b"C \n")
    assert await asked == "c"
    assert "Nobody answers. Sending again in 1.0 s." in screen.getvalue()
    view.close()


def test_without_a_keyboard_nothing_is_asked() -> None:
    assert not live(None)[0].asks


def test_on_a_terminal_what_failed_among_many_is_named_again_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    view, screen = live(None)
    told = Told()
    told.gathered.files *= 5
    monkeypatch.setattr(view, "_delivery", told)
    view.end(told.to(view))
    lines = screen.getvalue().splitlines()
    assert lines[-3:] == ["What failed:", FAILED, "1 of 15 files processed in 1.2 s, 1 failed, 1 rejected, 1 could not be read"]
    assert lines.count(FAILED) == 2


def test_many_batches_take_the_room_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    view, screen = live(None)
    tracker = Tracker(files=True)
    for number in range(40):
        tracker.take(created("a.pdf", batch_id=f"{number:08}"))

    class All:
        probable, uploading = list(tracker.batches.values()), True

    class Sending(Told):
        phase, sent_bytes, started, batches = Phase.UPLOADING, 7, 0.0, All

    delivery: Any = Sending()
    view.begin(delivery)
    view.refresh()
    view.close()
    shown = screen.getvalue()
    assert "uploading" in shown
    assert "7 bytes of 21 bytes" in shown
    assert "0 of 40 files" in shown
    assert "and 30 more batches" in shown
    assert "00000009" in shown
    assert "00000010" not in shown
