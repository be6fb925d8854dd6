"""A submission shown: live on a terminal, as plain lines, as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from quire_cli import tables, words
from quire_cli.console import coloured, json_line, output, say, warn
from quire_cli.gather import Chosen
from quire_cli.interrupts import typed_line
from quire_cli.submission import Result, Submission
from quire_cli.tracking import Batch, File
from quire_schemas.messages import AnyFeedMessage, BatchCancelledMessage, BatchCompletedMessage, BatchFailedMessage, FileMessage
from quire_schemas.views import Accepted

ENDS = BatchCompletedMessage | BatchFailedMessage | BatchCancelledMessage
TELL_ABOUT_LOSS_AFTER_S = 2.0
EACH_FILE_UP_TO = 100
"""With more files, a terminal shows bars, and names only what failed."""
ROWS = 10


class PlainView:
    """A line for each thing that happens: results on standard output, troubles on standard error."""

    asks = False

    def tell(self, line: str) -> None:
        say(line)

    def begin(self, submission: Submission) -> None:
        gathered = submission.gathered
        what = f"{words.files(len(gathered.files))}, {words.size(gathered.size)}"
        say(f"Submitting {what}, to collection {submission.order.collection}")

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:
        say(f"Uploaded {words.files(len(files))}: {answer.accepted} accepted in {len(answer.batches)} batches")
        for line in rejections(answer):
            warn(line)

    def again(self, reason: str, pause: float) -> None:
        warn(f"{reason} Sending again in {words.duration(pause)}.")

    def message(self, message: AnyFeedMessage, batch: Batch) -> None:
        if isinstance(message, FileMessage):
            say(file_line(batch.files[message.file_id], batch))
        elif isinstance(message, ENDS):
            say(words.end_of(batch))

    def standing(self, batch: Batch) -> None:
        for file in batch.files.values():
            if file.standing not in {"queued", "processing"}:
                say(file_line(file, batch))
        if batch.ended:
            say(words.end_of(batch))

    def lost(self, reason: str, pause: float) -> None:
        warn(f"The connection to the notifier is lost ({reason}); trying again in {words.duration(pause)}.")

    def back(self) -> None:
        warn("Connected again, and caught up.")

    def refresh(self) -> None:
        pass

    async def ask(self, question: str) -> str:
        raise NotImplementedError(question)

    def end(self, result: Result) -> None:
        say(summary(result))


class JsonView:
    """The answers of ingest and the feed's messages as they are, and a RESULT."""

    asks = False

    def begin(self, submission: Submission) -> None:
        gathered = submission.gathered
        json_line({"type": "SUBMITTING", "files": len(gathered.files), "bytes": gathered.size, "key": submission.order.key})

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:  # noqa: ARG002 -- a View
        json_line({"type": "SUBMITTED", **{name: getattr(answer, name) for name in answer.__struct_fields__}})

    def again(self, reason: str, pause: float) -> None:
        json_line({"type": "SENDING_AGAIN", "reason": reason, "in_seconds": round(pause, 1)})

    def message(self, message: AnyFeedMessage, batch: Batch) -> None:  # noqa: ARG002 -- a View
        json_line(message)

    def standing(self, batch: Batch) -> None:
        pass

    def lost(self, reason: str, pause: float) -> None:
        json_line({"type": "LOST", "reason": reason, "in_seconds": round(pause, 1)})

    def back(self) -> None:
        json_line({"type": "BACK"})

    def refresh(self) -> None:
        pass

    async def ask(self, question: str) -> str:
        raise NotImplementedError(question)

    def end(self, result: Result) -> None:
        json_line(result_json(result))


class LiveView(PlainView):
    """Bars that move, at the foot of a terminal; what is over scrolls away above them."""

    def __init__(self, console: Console, *, asks: bool) -> None:
        self.asks = asks
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._submission: Submission | None = None
        self._lost: tuple[float, str] | None = None

    def begin(self, submission: Submission) -> None:
        self._submission = submission
        self._live.start()

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:  # noqa: ARG002 -- a View
        for line in rejections(answer):
            self._console.print(coloured(line, "red"))

    def again(self, reason: str, pause: float) -> None:
        self._console.print(coloured(f"{reason} Sending again in {words.duration(pause)}.", "yellow"))

    def message(self, message: AnyFeedMessage, batch: Batch) -> None:
        if isinstance(message, FileMessage):
            self._file(batch.files[message.file_id], batch)
        elif isinstance(message, ENDS):
            self._console.print(coloured(words.end_of(batch), words.COLOURS[batch.status]))

    def standing(self, batch: Batch) -> None:
        for file in batch.files.values():
            if file.standing not in {"queued", "processing"}:
                self._file(file, batch)
        if batch.ended:
            self._console.print(coloured(words.end_of(batch), words.COLOURS[batch.status]))

    def lost(self, reason: str, pause: float) -> None:  # noqa: ARG002 -- a View
        self._lost = (self._lost[0] if self._lost else time.monotonic(), reason)

    def back(self) -> None:
        if self._lost and time.monotonic() - self._lost[0] > TELL_ABOUT_LOSS_AFTER_S:
            self._console.print(coloured("Connected again, and caught up.", "green"))
        self._lost = None

    def refresh(self) -> None:
        if self._submission and self._live.is_started:
            self._live.update(self._picture(self._submission), refresh=True)

    async def ask(self, question: str) -> str:
        self._live.stop()
        self._console.print(Text(question, style="bold"), end="")
        try:
            return (await typed_line()).strip().lower()
        finally:
            self._live.start()

    def end(self, result: Result) -> None:
        self.close()
        self._console.print(coloured(summary(result), "bold green" if result.exit_code == 0 else "bold yellow"))

    def close(self) -> None:
        """The terminal as it was; may be called twice."""
        self._live.stop()

    def _file(self, file: File, batch: Batch) -> None:
        if self._submission and (len(self._submission.gathered.files) <= EACH_FILE_UP_TO or file.standing != "processed"):
            self._console.print(coloured(file_line(file, batch), words.COLOURS[file.standing]))

    def _picture(self, submission: Submission) -> RenderableType:
        now, batches = datetime.now(UTC), submission.probable
        rows: list[RenderableType] = [self._bars(submission, batches)]
        unfinished = sorted((batch for batch in batches if not batch.ended), key=lambda batch: batch.status != "processing")
        rows.append(tables.live(unfinished[:ROWS], now))
        if len(unfinished) > ROWS:
            rows.append(Text(f"and {len(unfinished) - ROWS} more batches", style="dim"))
        if self._lost and time.monotonic() - self._lost[0] > TELL_ABOUT_LOSS_AFTER_S:
            rows.append(coloured(f"The connection is lost ({self._lost[1]}). Trying again; the batches go on.", "yellow"))
        return Group(*rows)

    def _bars(self, submission: Submission, batches: Sequence[Batch]) -> Table:
        table = Table.grid(padding=(0, 1))
        elapsed = time.monotonic() - submission.started
        if submission.uploading:
            total, sent = submission.gathered.size, submission.sent_bytes
            of = f"{words.size(sent)} of {words.size(total)}"
            table.add_row("uploading", bar(total, sent), of, pace(sent, total, elapsed, words.size))
        if files := sum(batch.total for batch in batches):
            settled = sum(batch.settled for batch in batches)
            speed = pace(settled, files, elapsed, lambda rate: f"{rate:.1f} files")
            table.add_row("processing", bar(files, settled), f"{settled} of {files} files", speed)
        return table


def bar(total: float, done: float) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=done, width=32)


def pace(done: float, total: float, seconds: float, name: Callable[[float], str]) -> str:
    """As in: 12.3 files/s, 4.0 s left."""
    if seconds < 0.5 or not done:
        return ""
    rate = done / seconds
    return f"{name(rate)}/s, {words.duration((total - done) / rate)} left" if done < total else ""


def rejections(answer: Accepted) -> list[str]:
    return [f"✗ {file.filename}  rejected, {file.code}: {file.message}" for file in answer.rejected]


def file_line(file: File, batch: Batch) -> str:
    return f"{words.MARKS[file.standing]} {file.filename}  {words.outcome(file)}".rstrip() + f"  [{words.short(batch.batch_id)}]"


def summary(result: Result) -> str:
    gathered, failed, cancelled = result.gathered, result.count("failed"), result.count("cancelled")
    if result.waited:
        parts = [
            f"{result.count('processed')} of {words.files(len(gathered.files))} processed in {words.duration(result.seconds)}"
        ]
    else:
        parts = [f"{result.accepted} of {words.files(len(gathered.files))} accepted in {words.duration(result.seconds)}"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{cancelled} cancelled"] if cancelled else []
    parts += [f"{len(result.rejected)} rejected"] if result.rejected else []
    parts += [f"{len(gathered.unreadable)} could not be read"] if gathered.unreadable else []
    parts += ["the upload was stopped"] if result.stopped else []
    return ", ".join(parts)


def result_json(result: Result) -> dict[str, Any]:
    return {
        "type": "RESULT",
        "exit_code": result.exit_code,
        "accepted": result.accepted,
        **{standing: result.count(standing) for standing in ("processed", "failed", "cancelled")},
        "rejected": result.rejected,
        "unreadable": result.gathered.unreadable,
        "skipped": result.gathered.skipped,
        "stopped": result.stopped,
        "seconds": round(result.seconds, 3),
        "batches": [batch_json(batch) for batch in result.batches],
    }


def batch_json(batch: Batch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "status": batch.status,
        "error_code": batch.code,
        "files": [
            {
                "file_id": file_id,
                "filename": file.filename,
                "status": file.standing,
                "page_count": file.pages,
                "error_code": file.code,
                "error_message": file.message,
            }
            for file_id, file in batch.files.items()
        ],
    }


def view(*, as_json: bool, asks: bool) -> PlainView | JsonView | LiveView:
    if as_json:
        return JsonView()
    console = output()
    return LiveView(console, asks=asks) if console.is_terminal else PlainView()
