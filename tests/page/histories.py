"""`python -m tests.page.histories` writes web/tests/histories.json: what subscribers were told in some histories, and where the
Python fold says that the batch stood after each message. The page's fold is held against it.

Each history is of the model that the Python fold is tested with (tests/schemas/history.py). Its records are in the file, so that
a test can tell with today's fold whether its messages and states are still the true ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec import structs
from tests.schemas.history import History
from tests.schemas.story import at

from quire_notifier.projecting.feed_messages import feed_messages
from quire_notifier.web.row_views import state_view
from quire_schemas.batch import BatchState, evolve
from quire_schemas.events import TYPES, Event, event_of

FIXTURE = Path(__file__).parents[2] / "web" / "tests" / "histories.json"
SOME = settings(max_examples=600, stateful_step_count=40, derandomize=True, database=None, phases=[Phase.generate])
KEPT = 24
FIELDS = [
    "status",
    "generation",
    "attempt",
    "stage",
    "total",
    "processed",
    "failed",
    "cancelled",
    "created_at",
    "started_at",
    "ended_at",
    "last_seen_at",
    "error_code",
    "error_message",
    "in_flight",
]

Told = dict[str, Any]


def told(events: Iterable[Event]) -> list[Told]:
    """What a subscriber hears, and the batch after it: null between two messages of the same event."""
    state: BatchState | None = None
    heard: list[Told] = []
    for offset, event in enumerate(events):
        before, state = state, evolve(state, event, offset)
        messages = feed_messages(before, state, event)
        for number, message in enumerate(messages, 1):
            numbered = structs.replace(message, seq=len(heard) + 1)
            last = number == len(messages) and state is not None
            heard.append(
                {"message": msgspec.to_builtins(numbered, str_keys=True), "then": standing(state) if last and state else None}
            )
    return json.loads(msgspec.json.encode(heard))  # type: ignore[no-any-return]


def standing(state: BatchState) -> Told:
    view = msgspec.to_builtins(state_view(state, lambda _file, _kind: ""))
    return {name: view[name] for name in FIELDS} | {
        "files": {file["file_id"]: file["processing_status"] for file in view["files"]}
    }


def recorded() -> list[list[Event]]:
    """Different histories, of those that say most."""
    found: dict[str, list[Event]] = {}

    class Recorded(History):
        seen: ClassVar[dict[str, list[Event]]] = found

        def teardown(self) -> None:
            accepted = accepted_of(self.log.events)
            self.seen["".join(type(event.data).__name__[5:8] for event in accepted)] = accepted

    run_state_machine_as_test(Recorded, settings=SOME)
    return [found[key] for key in sorted(found, key=lambda key: (-len(set(key)), -len(key), key))[:KEPT]]


def accepted_of(events: Iterable[Event]) -> list[Event]:
    """Those that had an effect: of the others no message tells."""
    state, kept = None, []
    for event in events:
        after = evolve(state, structs.replace(event, time=at(len(kept))), len(kept))
        if after is not state:
            kept.append(structs.replace(event, time=at(len(kept))))
            state = after
    return kept


def stored(event: Event) -> Told:
    return {"type": event.type, "id": event.id, "data": msgspec.to_builtins(event.data)}


def restored(records: list[Told]) -> list[Event]:
    return [
        event_of(
            msgspec.convert(record["data"], TYPES[record["type"]]),
            id=record["id"],
            batch_id=records[0]["batch_id"],
            collection_id="invoices",
            source="/quire/test",
            time=at(place),
        )
        for place, record in enumerate(records)
    ]


def write() -> None:
    histories = [
        {"records": [stored(event) | {"batch_id": event.batch_id} for event in events], "told": told(events)}
        for events in recorded()
    ]
    lines = ",\n".join(msgspec.json.encode(history).decode() for history in histories)
    FIXTURE.write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    write()
