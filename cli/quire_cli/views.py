"""Shows a submission as plain lines, or as JSON lines."""

from __future__ import annotations

from collections.abc import Sequence

from quire_cli import words
from quire_cli.console import json_line, say, warn
from quire_cli.delivery import Delivery
from quire_cli.gather import Chosen
from quire_cli.results import Result, file_line, rejections, result_json, summary
from quire_client import Batch
from quire_schemas.messages import AnyFeedMessage, BatchCancelledMessage, BatchCompletedMessage, BatchFailedMessage, FileMessage
from quire_schemas.views import Accepted

ENDS = BatchCompletedMessage | BatchFailedMessage | BatchCancelledMessage
TELL_ABOUT_LOSS_AFTER_S = 2.0


class PlainView:
    """Prints a line for each event: results on standard output, problems on standard error."""

    asks = False

    def tell(self, line: str) -> None:
        say(line)

    def begin(self, delivery: Delivery) -> None:
        gathered = delivery.gathered
        what = f"{words.files(len(gathered.files))}, {words.size(gathered.size)}"
        say(f"Submitting {what}, to collection {delivery.order.collection}")

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:
        say(f"Uploaded {words.files(len(files))}: {answer.accepted} accepted in {words.batches(len(answer.batches))}")
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

    def fell_back(self, sentence: str) -> None:
        warn(f"{sentence}.")

    def back(self) -> None:
        warn("Connected again, and caught up.")

    def refresh(self) -> None:
        pass

    async def ask(self, question: str) -> str:
        raise NotImplementedError(question)

    def end(self, result: Result) -> None:
        say(summary(result))

    def close(self) -> None:
        pass


class JsonView:
    """Prints JSON lines: the answers of ingest, the feed's messages as they are, and at the end a RESULT."""

    asks = False

    def begin(self, delivery: Delivery) -> None:
        gathered = delivery.gathered
        json_line({"type": "SUBMITTING", "files": len(gathered.files), "bytes": gathered.size, "key": delivery.order.key})

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:  # noqa: ARG002 -- signature of View
        json_line({"type": "SUBMITTED", **{name: getattr(answer, name) for name in answer.__struct_fields__}})

    def again(self, reason: str, pause: float) -> None:
        json_line({"type": "SENDING_AGAIN", "reason": reason, "in_seconds": round(pause, 1)})

    def message(self, message: AnyFeedMessage, batch: Batch) -> None:  # noqa: ARG002 -- signature of View
        json_line(message)

    def standing(self, batch: Batch) -> None:
        pass

    def lost(self, reason: str, pause: float) -> None:
        json_line({"type": "LOST", "reason": reason, "in_seconds": round(pause, 1)})

    def fell_back(self, sentence: str) -> None:
        json_line({"type": "FALLBACK", "reason": sentence})

    def back(self) -> None:
        json_line({"type": "BACK"})

    def refresh(self) -> None:
        pass

    async def ask(self, question: str) -> str:
        raise NotImplementedError(question)

    def end(self, result: Result) -> None:
        json_line(result_json(result))

    def close(self) -> None:
        pass
