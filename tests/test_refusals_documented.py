"""Whatever keeps a service from starting says what to do: in its docstring, in its message, and in docs/operate.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from quire_ingest.read_model import NotifierSilent
from quire_ingest.sweep import LogNotWhole
from quire_notifier.indexing.indexer import UnknownConfig
from quire_notifier.projecting.rebuild import WouldLose
from quire_processor.sandbox import NotConfined
from quire_processor.trial import CannotRead
from quire_runtime.errors import CannotServe
from quire_runtime.handler import OffsetOutOfRange
from quire_runtime.http_server import CannotListen
from quire_runtime.migrations import MigrationChanged
from quire_runtime.postgres import DatabaseRefuses, SessionsShared
from quire_runtime.storage_errors import _CURES, StorageRefuses
from quire_runtime.topic import TooFewBrokers, TopicMismatch

DEEDS = {"Correct", "Grant", "Look", "Mend", "Renew", "Run", "Set", "Start", "Undo", "Use", "Make"}
ROOT = Path(__file__).parents[1]
OPERATE = (ROOT / "docs" / "operate.md").read_text("utf-8")
ROWS = {
    CannotListen: "`port … is taken`, `cannot listen on …`",
    TopicMismatch: "the topic has another number of partitions",
    TooFewBrokers: "`… replicas are more than there are brokers`",
    SessionsShared: "`Postgres is behind a pooler that does not pool sessions`",
    StorageRefuses: "`the object store refuses …`",
    DatabaseRefuses: "`Postgres at … refuses`",
    MigrationChanged: "a migration was applied with another content",
    UnknownConfig: "`QUIRE_TEXT_SEARCH: Postgres has no text search configuration …`",
    NotConfined: "`QUIRE_SANDBOX=require, but worker processes are not confined …`",
    CannotRead: "`worker processes cannot read a PDF on this machine …`",
    OffsetOutOfRange: "the log was cut, or replaced by another",
}
OF_COMMANDS = {NotifierSilent, LogNotWhole, WouldLose}
"""Of `quire sweep` and `quire rebuild` only."""
MESSAGES = [
    SessionsShared(),
    *(StorageRefuses("the bucket quire", "HeadBucket", code, "No") for code in ("AccessDenied", "Unheard", *_CURES)),
    DatabaseRefuses("localhost", ValueError("no")),
    UnknownConfig("klingon", ["english", "simple"]),
    NotConfined({"seccomp": "Function not implemented"}),
    CannotRead("worker_crashed"),
    OffsetOutOfRange("quire.batches", 0, 7, 0, 0),
    LogNotWhole("partition 0 begins at 7"),
    WouldLose("7 batches are not in the log"),
]


def below(refusal: type[CannotServe]) -> Iterator[type[CannotServe]]:
    for one in refusal.__subclasses__():
        yield one
        yield from below(one)


def refusals() -> list[type[CannotServe]]:
    """All classes below CannotServe, of all modules of the services that know it."""
    for package in ("runtime", "ingest", "processor", "notifier"):
        within = ROOT / "services" / package
        for path in within.rglob("*.py"):
            if "CannotServe" in path.read_text("utf-8"):
                import_module(".".join(path.relative_to(within).with_suffix("").parts))
    return sorted(set(below(CannotServe)), key=lambda one: one.__name__)


def says_what_to_do(text: str) -> bool:
    """Whether a sentence after the first begins with a deed."""
    _, *others = re.split(r"[.;:] ", " ".join(text.split()))
    return any(sentence.split()[0].capitalize() in DEEDS for sentence in others)


def test_every_refusal_is_known_here() -> None:
    assert set(refusals()) == ROWS.keys() | OF_COMMANDS


@pytest.mark.parametrize("refusal", refusals(), ids=lambda one: one.__name__)
def test_its_docstring_ends_with_the_cure(refusal: type[CannotServe]) -> None:
    assert refusal.__doc__ is not None
    assert says_what_to_do(refusal.__doc__), refusal.__doc__


@pytest.mark.parametrize("message", [str(message) for message in MESSAGES])
def test_its_message_is_one_line_and_says_what_to_do(message: str) -> None:
    assert "\n" not in message
    assert says_what_to_do(message), message


@pytest.mark.parametrize("refusal", ROWS, ids=lambda one: one.__name__)
def test_the_document_of_operators_has_its_cure(refusal: type[CannotServe]) -> None:
    table = OPERATE.split("## When a service does not start")[1].split("\n#")[0]
    assert f"\n| {ROWS[refusal]} | " in table
