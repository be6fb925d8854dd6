"""The sums over a request are the same in whatever polls its events are read."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from msgspec import structs
from tests.notifier.test_snapshots import happening
from tests.schemas import story

from quire_notifier.projecting.fold import fold
from quire_notifier.projecting.requests import Added, added
from quire_schemas.batch import BatchState
from quire_schemas.events import STANDINGS, STATUSES, Event


class Sums:
    """As the table `request` keeps them."""

    def __init__(self) -> None:
        self.numbers = [0] * (2 + len(STATUSES) + len(STANDINGS) + 2)
        self.times: dict[str, Any] = {}
        self.named: tuple[datetime, str] | None = None

    def take(self, row: Added) -> None:
        self.numbers = [one + other for one, other in zip(self.numbers, row.numbers, strict=True)]
        for field, choose in (("created_at", min), ("first_started_at", min), ("last_ended_at", max)):
            both = [time for time in (self.times.get(field), getattr(row, field)) if time is not None]
            self.times[field] = choose(both, default=None)
        candidate = (row.created_at, row.name)
        self.named = candidate if self.named is None else min(self.named, candidate)


def projected(events: list[tuple[int, Event]], chance: random.Random, most: int) -> tuple[Sums, dict[str, BatchState]]:
    """In polls of at most so many events."""
    sums, states, rest = Sums(), dict[str, BatchState](), events
    while rest:
        size = chance.randint(1, most)
        poll, rest = rest[:size], rest[size:]
        folded = fold([(event, offset) for offset, event in poll], states)
        states |= {batch_id: change.after for batch_id, change in folded.changes.items()}
        for row in added(folded) if folded.changes else ():
            sums.take(row)
    return sums, states


@pytest.mark.parametrize("seed", range(60))
def test_polls_of_any_size_add_up_to_the_same(seed: int) -> None:
    events = happening(random.Random(seed))  # noqa: S311 -- repeatable on purpose
    whole, states = projected(events, random.Random(seed), 10_000)  # noqa: S311
    parted, _ = projected(events, random.Random(seed), 3)  # noqa: S311
    assert (parted.numbers, parted.times, parted.named) == (whole.numbers, whole.times, whole.named)
    counted = Counter(state.status for state in states.values())
    assert whole.numbers[0] == len(states)
    assert whole.numbers[1 : 1 + len(STATUSES)] == [counted[status] for status in STATUSES]
    files = Counter(file.standing for state in states.values() for file in state.files.values())
    assert whole.numbers[2 + len(STATUSES) : -2] == [files[standing] for standing in STANDINGS]


def test_a_batch_that_does_not_say_its_requests_name_is_called_after_what_comes_first() -> None:
    in_a_folder = structs.replace(story.spec("a"), path="march/week/a.pdf")
    for files, said, name in (
        ((story.spec("b"), in_a_folder), None, "b.pdf"),
        ((in_a_folder, story.spec("b")), None, "march"),
        ((in_a_folder,), "Invoices", "Invoices"),
    ):
        data = structs.replace(story.created().data, files=files, request_name=said)
        [row] = added(fold([(structs.replace(story.created(), data=data), 0)], {}))
        assert row.name == name
