"""Shows a submission on a terminal: progress bars at its foot, finished files and batches above them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from quire_cli import tables, words
from quire_cli.console import coloured
from quire_cli.delivery import Delivery
from quire_cli.gather import Chosen
from quire_cli.interrupts import typed_line
from quire_cli.results import Result, file_line, rejections, summary
from quire_cli.views import ENDS, TELL_ABOUT_LOSS_AFTER_S, PlainView
from quire_client import Batch, File
from quire_schemas.messages import AnyFeedMessage, FileMessage
from quire_schemas.views import Accepted

EACH_FILE_UP_TO = 100
"""Number of files up to which every file gets a line; with more, only files that failed or have notices do."""
NAMED_AGAIN_FROM, NAMED_AGAIN_UP_TO = 10, 20
"""Failed files are named again at the end, as their lines may have scrolled away: from 10 files in an upload on, and at
most 20 of them.
"""
ROWS = 10


class LiveView(PlainView):
    """Progress bars at the foot of a terminal; lines for finished files and batches scroll away above them."""

    def __init__(self, console: Console, keyboard: TextIO | None) -> None:
        self.asks = keyboard is not None
        self._keyboard = keyboard
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._delivery: Delivery | None = None
        self._lost: tuple[float, str] | None = None
        self._held: list[Text] | None = None
        """Lines that wait until a question is answered."""

    def begin(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._live.start()

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:  # noqa: ARG002 -- signature of View
        for line in rejections(answer):
            self._print(line, "red")

    def again(self, reason: str, pause: float) -> None:
        self._print(f"{reason} Sending again in {words.duration(pause)}.", "yellow")

    def message(self, message: AnyFeedMessage, batch: Batch) -> None:
        if isinstance(message, FileMessage):
            self._file(batch.files[message.file_id], batch)
        elif isinstance(message, ENDS):
            self._print(words.end_of(batch), words.COLOURS[batch.status])

    def standing(self, batch: Batch) -> None:
        for file in batch.files.values():
            if file.standing not in {"queued", "processing"}:
                self._file(file, batch)
        if batch.ended:
            self._print(words.end_of(batch), words.COLOURS[batch.status])

    def lost(self, reason: str, pause: float) -> None:  # noqa: ARG002 -- signature of View
        self._lost = (self._lost[0] if self._lost else time.monotonic(), reason)

    def fell_back(self, sentence: str) -> None:
        self._print(f"{sentence}.", "yellow")

    def back(self) -> None:
        if self._lost and time.monotonic() - self._lost[0] > TELL_ABOUT_LOSS_AFTER_S:
            self._print("Connected again, and caught up.", "green")
        self._lost = None

    def refresh(self) -> None:
        if self._delivery and self._live.is_started:
            self._live.update(self._picture(self._delivery), refresh=True)

    async def ask(self, question: str) -> str:
        """Asks the user and returns the line typed. Other lines are held until then: they would break up the typed line."""
        if self._keyboard is None:
            raise NotImplementedError(question)
        self._live.stop()
        self._console.print(Text(question, style="bold"), end="")
        self._held = []
        try:
            return (await typed_line(self._keyboard)).strip().lower()
        finally:
            self._live.start()
            held, self._held = self._held, None
            for line in held:
                self._console.print(line)

    def _print(self, line: str, style: str) -> None:
        if self._held is None:
            self._console.print(coloured(line, style))
        else:
            self._held.append(coloured(line, style))

    def end(self, result: Result) -> None:
        self.close()
        self._name_again(
            [(file, batch) for batch in result.batches for file in batch.files.values() if file.standing == "failed"]
        )
        self._print(summary(result), "bold green" if result.exit_code == 0 else "bold yellow")

    def close(self) -> None:
        self._live.stop()

    def _name_again(self, failed: Sequence[tuple[File, Batch]]) -> None:
        if not failed or not self._delivery or len(self._delivery.gathered.files) < NAMED_AGAIN_FROM:
            return
        self._print("What failed:", "bold")
        for file, batch in failed[:NAMED_AGAIN_UP_TO]:
            self._print(file_line(file, batch), words.COLOURS["failed"])
        if len(failed) > NAMED_AGAIN_UP_TO:
            self._print(f"… and {len(failed) - NAMED_AGAIN_UP_TO} more: see `quire batch ID`", words.COLOURS["failed"])

    def _file(self, file: File, batch: Batch) -> None:
        plain = file.standing == "processed" and not file.notices
        if self._delivery and (len(self._delivery.gathered.files) <= EACH_FILE_UP_TO or not plain):
            self._print(file_line(file, batch), "yellow" if file.notices else words.COLOURS[file.standing])

    def _picture(self, delivery: Delivery) -> RenderableType:
        now, batches = datetime.now(UTC), delivery.batches.probable
        rows: list[RenderableType] = [self._bars(delivery, batches)]
        unfinished = sorted((batch for batch in batches if not batch.ended), key=lambda batch: batch.status != "processing")
        rows.append(tables.live(unfinished[:ROWS], now))
        if len(unfinished) > ROWS:
            rows.append(Text(f"and {words.batches(len(unfinished) - ROWS, 'more')}", style="dim"))
        if self._lost and time.monotonic() - self._lost[0] > TELL_ABOUT_LOSS_AFTER_S:
            rows.append(coloured(f"The connection is lost ({self._lost[1]}). Trying again; the batches go on.", "yellow"))
        return Group(*rows)

    def _bars(self, delivery: Delivery, batches: Sequence[Batch]) -> Table:
        table = Table.grid(padding=(0, 1))
        elapsed = time.monotonic() - delivery.started
        if delivery.batches.uploading:
            total, sent = delivery.gathered.size, delivery.sent_bytes
            of = f"{words.size(sent)} of {words.size(total)}"
            doing = delivery.phase.value
            table.add_row(doing, bar(total, sent), of, pace(sent, total, elapsed, words.size))
        if files := sum(batch.total for batch in batches):
            settled = sum(batch.settled for batch in batches)
            speed = pace(settled, files, elapsed, lambda rate: f"{rate:.1f} files")
            table.add_row("processing", bar(files, settled), f"{settled} of {files} files", speed)
        return table


def bar(total: float, done: float) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=done, width=32)


def pace(done: float, total: float, seconds: float, name: Callable[[float], str]) -> str:
    """Returns speed and time left: "12.3 files/s, 4.0 s left". Empty when it is too early to say."""
    if seconds < 0.5 or not done:
        return ""
    rate = done / seconds
    return f"{name(rate)}/s, {words.duration((total - done) / rate)} left" if done < total else ""
