"""Snapshots in parts: what they promise to a client that goes on with the feed, and whom they are shared with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.notifier.world import NAME, DeafHub, MemoryFeed, line
from tests.schemas import story
from tests.virtual import VirtualLoop, run

from quire_client.tracking import Tracker, of_view
from quire_notifier.projecting.fold import fold
from quire_notifier.projecting.rows import batch_row
from quire_notifier.projecting.tables import number
from quire_notifier.pushing import snapshots
from quire_notifier.pushing.cursors import Onward
from quire_notifier.pushing.feed import Active, Head
from quire_notifier.pushing.hub import Hub
from quire_notifier.pushing.snapshots import SnapshotMessages, read_snapshot
from quire_notifier.web.paging import onward_of
from quire_notifier.web.row_views import state_view
from quire_schemas.events import Event
from quire_schemas.messages import AnyFeedMessage, Subscribed
from quire_schemas.states import BatchState
from quire_schemas.views import FilePosition

COLLECTION = story.COLLECTION
MOST_BATCHES = snapshots.MOST_BATCHES


class Projected:
    """What the tables hold, and the feed: as `quire_notifier.pushing.feed.Feed`, at whatever place it stands just now."""

    def __init__(self) -> None:
        self.states: dict[str, BatchState] = {}
        self.messages: list[AnyFeedMessage] = []

    def take(self, event: Event, offset: int) -> None:
        folded = fold([(event, offset)], self.states)
        self.states |= {batch_id: change.after for batch_id, change in folded.changes.items()}
        self.messages += number(folded.messages, {COLLECTION: len(self.messages) + 1})

    async def active(self, _name: str, after: Onward | None, limit: int) -> Active:
        found = sorted((state.created_at, state.batch_id, state) for state in self.states.values() if not state.terminal)
        rest = [state for at, name, state in found if after is None or (at, name) > (after.at, str(after.id))]
        batches = [(batch_row(state), state if state.status == "processing" else None) for state in rest[:limit]]
        return Active(Head("e", len(self.messages), 0), len(found), batches)


def told(messages: SnapshotMessages) -> list[Subscribed]:
    return [msgspec.json.decode(text, type=Subscribed) for text in messages.texts]


def cursor_of(parts: list[Subscribed]) -> Onward | None:
    snapshot = parts[-1].snapshot
    assert snapshot
    return onward_of(snapshot.next_cursor)


def whole(states: dict[str, BatchState]) -> dict[str, tuple[Any, ...]]:
    views = [state_view(state, lambda _id, _kind: "") for state in states.values() if not state.terminal]
    return {view.batch_id: shown(of_view(view)) for view in views}


def shown(batch: Any) -> tuple[Any, ...]:
    numbers = tuple(batch.count(standing) for standing in ("processed", "failed", "cancelled"))
    return batch.status, batch.total, numbers, batch.attempt, batch.in_flight


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.booleans())
def test_who_takes_all_parts_and_then_the_feed_knows_where_everything_stands(seed: int, waits: bool) -> None:  # noqa: FBT001
    """Events go on while the parts are read. A client either lets the feed wait for them, or goes on with it meanwhile and takes
    from a part only what it has not heard of.
    """
    asyncio.run(followed(random.Random(seed), waits=waits))  # noqa: S311 -- repeatable on purpose


async def followed(chance: random.Random, *, waits: bool) -> None:
    feed, events = Projected(), iter(happening(chance))
    advance(feed, events, chance.randint(0, 60))
    parts = told(await read_snapshot(feed, COLLECTION, None))  # type: ignore[arg-type]
    tracker, heard = Tracker(files=False), parts[-1].seq
    taken, cursor = list(parts), cursor_of(parts)
    if not waits:
        tracker.begin(taken)
    while cursor is not None:
        advance(feed, events, chance.randint(0, 12))
        if not waits:
            heard = hear(tracker, feed, heard, chance.randint(heard, len(feed.messages)))
        parts = told(await read_snapshot(feed, COLLECTION, cursor))  # type: ignore[arg-type]
        taken += parts
        if not waits:
            heard = hear(tracker, feed, heard, chance.randint(heard, len(feed.messages)))
            add(tracker, parts)
        cursor = cursor_of(parts)
    if waits:
        tracker.begin(taken)
    advance(feed, events, chance.randint(0, 30))
    hear(tracker, feed, heard, len(feed.messages))
    assert {name: shown(batch) for name, batch in tracker.batches.items() if not batch.ended} == whole(feed.states)


def add(tracker: Tracker, parts: list[Subscribed]) -> None:
    for part in parts:
        for view in part.snapshot.batches if part.snapshot else ():
            tracker.batches.setdefault(view.batch_id, of_view(view, part.seq))


def hear(tracker: Tracker, feed: Projected, heard: int, upto: int) -> int:
    """A batch of which it knows nothing is asked for, and the answer is as new as can be."""
    for message in feed.messages[heard:upto]:
        for name in tracker.take(message):
            tracker.batches[name] = of_view(state_view(feed.states[name], lambda _id, _kind: ""))
    return upto


def advance(feed: Projected, events: Iterator[tuple[int, Event]], count: int) -> None:
    for offset, event in (next(events, None) or (0, None) for _ in range(count)):
        if event is not None:
            feed.take(event, offset)


STORIES = (
    (story.created(), story.started(), story.progressed(a=("extracting", 1, 2)), story.processed("a"), story.processed("b")),
    (
        story.created(),
        story.started(),
        story.processed("a"),
        story.failed("b"),
        story.completed(),
        story.retry(b="failed", a="processed"),
    ),
    (story.created(), story.cancel()),
    (story.created(policy="all_or_nothing"), story.started(), story.processed("a"), story.failed("b"), story.batch_failed()),
    (story.created(), story.started(), story.progressed(b=("fetching", 0, 0)), story.released(), story.started("r2", 2)),
    (story.created("abc"), story.started(), story.processed("c"), story.retry(force=True, a="queued"), story.started("r2", 2)),
    (story.created(), story.started(), story.processed("a"), story.processed("b"), story.completed()),
)


def happening(chance: random.Random) -> list[tuple[int, Event]]:
    """Twelve batches, one in the middle of the other; their order of creation is not that of the log."""
    waiting = []
    for count in range(12):
        told, offset = chance.choice(STORIES), chance.randint(0, 100)
        moved = [
            structs.replace(event, batch_id=story.uid(f"batch {count}"), time=story.at(offset + n))
            for n, event in enumerate(told)
        ]
        waiting.append(list(enumerate(moved)))
    events = []
    while some := [one for one in waiting if one]:
        events.append(chance.choice(some[:4]).pop(0))
    return events


@pytest.fixture(autouse=True)
def _three_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_BATCHES", 3)


async def test_a_snapshot_has_so_many_batches_at_most_says_how_many_there_are_and_names_no_file_that_waits() -> None:
    feed = Projected()
    for batch in range(7):
        feed.take(structs.replace(story.created("abcdef"), batch_id=story.uid(f"{batch}"), time=story.at(batch)), 0)
    for event in (story.started(), story.progressed(c=("extracting", 4, 9))):
        feed.take(structs.replace(event, batch_id=story.uid("0")), len(feed.messages))
    sizes, totals, cursor, position = [], [], None, None
    while cursor is not None or not sizes:
        messages = await read_snapshot(feed, COLLECTION, cursor)  # type: ignore[arg-type]
        [part] = told(messages)
        assert part.snapshot
        position = position or part.snapshot.batches[0].in_flight
        sizes.append(len(part.snapshot.batches))
        totals.append(part.snapshot.total)
        assert b'"files"' not in messages.texts[0]
        cursor = cursor_of([part])
    assert (sizes, totals) == ([3, 3, 1], [7, 7, 7])
    at = FilePosition(file_id=story.uid("c"), stage="extracting", page=4, pages=9, filename="c.pdf", started_at=story.START)
    assert position == [at]


async def test_a_snapshot_has_500_batches_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_BATCHES", MOST_BATCHES)
    feed = Projected()
    for batch in range(501):
        feed.take(structs.replace(story.created("a"), batch_id=story.uid(f"{batch}"), time=story.at(batch)), batch)
    parts = told(await read_snapshot(feed, COLLECTION, None))  # type: ignore[arg-type]
    assert [part.snapshot.total for part in parts if part.snapshot] == [501] * len(parts)
    assert sum(len(part.snapshot.batches) for part in parts if part.snapshot) == 500
    [rest] = told(await read_snapshot(feed, COLLECTION, cursor_of(parts)))  # type: ignore[arg-type]
    assert rest.snapshot
    assert [view.batch_id for view in rest.snapshot.batches] == [story.uid("500")]


class Counting(MemoryFeed):
    """How often the tables were read."""

    reads = 0

    async def active(self, name: str, after: Onward | None, limit: int) -> Active:
        self.reads += 1
        return await super().active(name, after, limit)


def shared(test: Callable[[Counting, Hub], Awaitable[None]]) -> None:
    async def lived() -> None:
        feed, stop = Counting(random.Random(1)), asyncio.Event()  # noqa: S311 -- repeatable on purpose
        feed.append(10)
        hub = DeafHub(feed, "")  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hub.run(stop))
            await asyncio.sleep(0)
            tail = await hub.tail(NAME)
            await test(feed, hub)
            hub.release(tail)
            assert not hub._snapshots
            stop.set()

    run(VirtualLoop(), lived())


def test_who_asks_at_the_same_place_or_soon_after_is_given_the_very_same_snapshot() -> None:
    async def asked(feed: Counting, hub: Hub) -> None:
        first, *others = await asyncio.gather(*(hub.snapshot(NAME) for _ in range(20)))
        feed.append(snapshots.MOST_BEHIND)
        others.append(await hub.snapshot(NAME))
        assert all(each is first for each in others)
        assert first.encoded(line) is first.encoded(line)
        assert feed.reads == 1
        feed.append(1)
        assert (await hub.snapshot(NAME)).head.last_seq == feed.last_seq

    shared(asked)


@pytest.mark.parametrize("gone", [lambda feed: feed.prune(1.0), lambda feed: feed.rebuild(11)], ids=["pruned", "rebuilt"])
def test_but_not_where_the_feed_does_not_follow_from_it(gone: Callable[[Counting], None]) -> None:
    async def asked(feed: Counting, hub: Hub) -> None:
        before = await hub.snapshot(NAME)
        feed.append(1)
        gone(feed)
        assert (await hub.snapshot(NAME)) is not before

    shared(asked)
