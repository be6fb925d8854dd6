"""The result of a submission, and its forms for people and for programs."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from quire_cli import words
from quire_cli.errors import NOT_ALL, PROCESSED
from quire_cli.gather import Gathered
from quire_client import Batch, File
from quire_schemas.events import Standing
from quire_schemas.views import Accepted, RejectedFile


class Result(Struct, frozen=True):
    """How a submission ended; `seconds` counts from the first byte sent."""

    gathered: Gathered
    rejected: list[RejectedFile]
    batches: list[Batch]
    accepted: int
    waited: bool
    stopped: bool
    """Whether the user stopped the upload."""
    seconds: float

    def count(self, standing: Standing) -> int:
        return sum(batch.count(standing) for batch in self.batches)

    @property
    def exit_code(self) -> int:
        lacking = self.rejected or self.gathered.unreadable or self.stopped
        done = not self.waited or all(batch.status == "completed" for batch in self.batches)
        return PROCESSED if done and not lacking else NOT_ALL


def rejections(answer: Accepted) -> list[str]:
    return [f"✗ {file.filename}  rejected, {file.code}: {file.message}" for file in answer.rejected]


def file_line(file: File, batch: Batch) -> str:
    return f"{words.MARKS[file.standing]} {file.filename}  {words.outcome(file)}".rstrip() + f"  [{words.short(batch.batch_id)}]"


def summary(result: Result) -> str:
    gathered, failed, cancelled = result.gathered, result.count("failed"), result.count("cancelled")
    noticed = sum(bool(file.notices) for batch in result.batches for file in batch.files.values())
    if result.waited:
        parts = [
            f"{result.count('processed')} of {words.files(len(gathered.files))} processed in {words.duration(result.seconds)}"
        ]
    else:
        parts = [f"{result.accepted} of {words.files(len(gathered.files))} accepted in {words.duration(result.seconds)}"]
    parts += [f"{noticed} with notices"] if noticed else []
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
                "truncated": file.truncated,
                "pages_read": file.pages_read,
                "characters": file.characters,
                "notices": file.notices,
                "error_code": file.code,
                "error_message": file.message,
            }
            for file_id, file in batch.files.items()
        ],
    }
