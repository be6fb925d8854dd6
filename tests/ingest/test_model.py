"""Requests under one Idempotency-Key and without one, one after the other and at once, over a store and a log that fail before
or after the deed, by clients that leave and services that stop. What a 202 says is in the log, what any other answer says is
true, and nothing is deleted that the log names.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.log import Log, Member
from tests.fakes.store import Store
from tests.virtual import VirtualClock, VirtualLoop, run

from quire_ingest.body import ClientLeft, FileStarts
from quire_ingest.records import request_id_of
from quire_ingest.segments import Memory
from quire_ingest.submission import Ask, Submission, UploadParts
from quire_ingest.uploads import UploadTerms
from quire_runtime.http import Problem
from quire_schemas.events import BatchCreated, Event
from quire_schemas.views import Accepted, CreatedBatch

LARGEST = 100
FILES_OF_A_BATCH = 3
KEY = "key"


class File(NamedTuple):
    name: str
    content: bytes


class Attempt(Member):
    """The publisher of one request: `sent` is what it has sent, `acknowledged` are the batches that it knows to be in the log."""

    def __init__(self, log: Log) -> None:
        super().__init__("ingest", log)
        self.sent: list[Event] = []
        self.acknowledged: set[str] = set()

    async def publish(self, event: Event) -> tuple[int, int]:
        self.sent.append(event)
        place = await super().publish(event)
        self.acknowledged.add(event.batch_id)
        return place

    def in_the_log(self) -> set[str]:
        """The batches that the log has from this very request, acknowledged or not."""
        has = {id(event) for events in self._log.records for event in events}
        return {event.batch_id for event in self.sent if id(event) in has}

    def check(self, problem: Problem) -> None:
        """The problem names all that runs and may run, and nothing else."""
        run, perhaps = (problem.extra.get(field, list[CreatedBatch]()) for field in ("batches", "unknown"))
        runs, may_run = ({batch.batch_id for batch in batches} for batches in (run, perhaps))
        assert runs == self.acknowledged
        assert self.in_the_log() <= runs | may_run <= {event.batch_id for event in self.sent}
        assert not runs & may_run
        assert ("Running all the same" in problem.detail, "Perhaps running" in problem.detail) == (bool(run), bool(perhaps))


class World:
    def __init__(
        self, loop: VirtualLoop, seed: int, rates: tuple[float, float] = (0.0, 0.0), *, store: Store | None = None
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose
        self.store = store or Store(self.chance, rates[0])
        self.log = Log(self.chance, refused=rates[1], lost=rates[1])
        self.memory = Memory(1 << 30)
        terms = UploadTerms(at_once=4, sends=asyncio.Semaphore(12), patience=2.0, memory=self.memory, directory=Path())
        self._parts = UploadParts(
            store=self.store,  # type: ignore[arg-type]  # the same methods, in memory
            publisher=Attempt(self.log),  # type: ignore[arg-type]
            clock=VirtualClock(loop),
            terms=terms,
            batch_size=FILES_OF_A_BATCH,
            max_file_bytes=LARGEST,
        )

    async def submit(
        self, files: list[File], *, keyed: bool = True, leaves_at: int | None = None, breaks: Exception | None = None
    ) -> Accepted | Exception:
        """What the client is answered; it leaves before the file of that number, or what it sent breaks something at last."""

        async def left() -> bool:
            return leaves_at is not None

        ask = Ask(
            name=None,
            request_id=request_id_of("somebody", "c", KEY) if keyed else str(uuid4()),
            collection_id="c",
            policy="isolate",
            keyed=keyed,
            traceparent=None,
            left=left,
        )
        attempt = Attempt(self.log)
        parts = self._parts._replace(publisher=attempt)  # type: ignore[arg-type]
        try:
            return await Submission(parts, ask).take(self._sent(files, leaves_at, breaks))
        except Problem as problem:
            attempt.check(problem)
            return problem
        except ClientLeft as left:
            return left

    async def _sent(
        self, files: list[File], leaves_at: int | None, breaks: Exception | None
    ) -> AsyncIterator[FileStarts | bytes | None]:
        for number, file in enumerate(files):
            if number == leaves_at:
                raise ClientLeft
            await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.3)))
            yield FileStarts(file.name)
            yield file.content[:5]
            yield file.content[5:]
            yield None
        if breaks is not None:
            raise breaks

    def check(self, answer: Accepted | Exception, files: list[File]) -> None:
        """What was answered is so."""
        assert isinstance(answer, Accepted | Problem | ClientLeft), answer
        in_the_log = self.batches()
        if isinstance(answer, Accepted):
            said = [batch.batch_id for batch in answer.batches]
            assert said == list(dict.fromkeys(said))
            assert set(said) <= in_the_log.keys()
            assert answer.accepted == sum(len(batch.files) for batch in answer.batches) == sum(map(fits, files))
        elif isinstance(answer, Problem):
            assert answer.code in {"storage_unavailable", "log_unavailable", "idempotency_conflict", "all_rejected"}, answer

    def batches(self) -> dict[str, BatchCreated]:
        """What runs, by its ids: the first event of each batch. Where the store keeps conditions, one that is said again is the
        same event.
        """
        found: dict[str, BatchCreated] = {}
        for event in (event for events in self.log.records for event in events):
            assert isinstance(event.data, BatchCreated)
            first = found.setdefault(event.batch_id, event.data)
            assert first == event.data or not self.store.conditional
        return found

    def check_objects(self) -> None:
        """Every file of what runs is there as it came."""
        for created in self.batches().values():
            for file in created.files:
                assert file.object_key in self.store.objects, file.object_key in self.store.deleted
                assert hashlib.sha256(self.store.objects[file.object_key]).hexdigest() == file.sha256


def fits(file: File) -> bool:
    return len(file.content) <= LARGEST


def files_of(letter: str, sizes: list[int]) -> list[File]:
    return [File(f"{number}.pdf", b"%PDF-" + letter.encode() * size) for number, size in enumerate(sizes)]


class Story(NamedTuple):
    """`attempts` of each client: whether with the key, and before which file it leaves. `stopped`: seconds until a first request
    is cancelled with its service.
    """

    sizes: list[int]
    rates: tuple[float, float]
    attempts: list[list[tuple[bool, int | None]]]
    other: bool
    stopped: float | None


stories = st.builds(
    Story,
    sizes=st.lists(st.sampled_from((3, 10, 2 * LARGEST)), min_size=1, max_size=10),
    rates=st.tuples(st.sampled_from((0.0, 0.02, 0.1, 0.4)), st.sampled_from((0.0, 0.05, 0.3))),
    attempts=st.lists(
        st.lists(st.tuples(st.booleans(), st.sampled_from((None, None, 0, 2))), min_size=1, max_size=3), min_size=1, max_size=3
    ),
    other=st.booleans(),
    stopped=st.sampled_from((None, 0.01, 0.2, 1.0)),
)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), stories)
def test_every_answer_is_true_whatever_fails(seed: int, story: Story) -> None:
    loop = VirtualLoop()
    run(loop, lived(World(loop, seed, story.rates), story))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), stories)
def test_so_it_is_with_a_store_that_keeps_no_conditions(seed: int, story: Story) -> None:
    """docs/operate.md, "Object stores other than S3": of two requests at once, the first in the log is what runs."""
    loop = VirtualLoop()
    world = World(loop, seed, story.rates)
    world.store.conditional = False
    run(loop, lived(world, story))


async def lived(world: World, story: Story) -> None:
    mine, others = files_of("a", story.sizes), files_of("b", story.sizes)

    async def client(attempts: list[tuple[bool, int | None]]) -> None:
        for keyed, leaves_at in attempts:
            world.check(await world.submit(mine, keyed=keyed, leaves_at=leaves_at), mine)
            await asyncio.sleep(world.chance.choice((0.0, 0.1, 3.0)))

    async def somebody_else() -> None:
        if story.other:
            world.check(await world.submit(others), others)

    if story.stopped is not None:
        cut_off = asyncio.create_task(world.submit(mine))
        await asyncio.sleep(story.stopped)
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
    await asyncio.gather(*map(client, story.attempts), somebody_else())
    world.store.rate = world.log.refused = world.log.lost = 0.0
    await closed(world, mine, may_conflict=story.other)
    world.check_objects()
    assert world.memory.taken == 0


async def closed(world: World, files: list[File], *, may_conflict: bool) -> None:
    """Once all is well, the same request with the same key is answered, twice the same."""
    answer, again = await world.submit(files), await world.submit(files)
    if isinstance(answer, Problem) and answer.code == "idempotency_conflict":
        assert may_conflict
    elif isinstance(answer, Problem):
        assert answer.code == "all_rejected"
        assert not any(map(fits, files))
    else:
        world.check(answer, files)
        assert again == answer


@pytest.mark.parametrize("breaks", [Problem(413, "too_many_files", "Too many."), RuntimeError("a fault of ours")])
def test_whoever_is_refused_in_the_middle_is_told_what_runs(breaks: Exception) -> None:
    loop = VirtualLoop()
    world = World(loop, 0)
    answer = run(loop, world.submit(files_of("a", [3] * 8), breaks=breaks))
    assert isinstance(answer, Problem)
    assert answer.status == (413 if isinstance(breaks, Problem) else 500)
    assert {batch.batch_id for batch in answer.extra["batches"]} == world.batches().keys()
    assert answer.detail.endswith("Running all the same: 2 of its batches, with 6 files.")
    assert [len(batch.files) for batch in answer.extra["batches"]] == [3, 3]
    world.check_objects()


@pytest.mark.parametrize("keyed", [True, False])
def test_whoever_is_refused_by_a_log_that_says_nothing_is_told_what_may_run(*, keyed: bool) -> None:
    loop = VirtualLoop()
    world = World(loop, 0)
    world.log.lost = 1.0
    answer = run(loop, world.submit(files_of("a", [3] * 9), keyed=keyed))
    assert isinstance(answer, Problem)
    assert (answer.status, answer.code, answer.extra["batches"]) == (503, "log_unavailable", [])
    assert {batch.batch_id for batch in answer.extra["unknown"]} == world.batches().keys() != set()
    count = len(world.batches())
    assert answer.detail.endswith(f"Perhaps running: {count} of its batches, with {3 * count} files.")
    world.check_objects()


def test_whoever_is_refused_without_a_key_has_begun_nothing() -> None:
    loop = VirtualLoop()
    world = World(loop, 0)
    answer = run(loop, world.submit(files_of("a", [3] * 8), keyed=False, breaks=Problem(413, "too_many_files", "Too many.")))
    assert isinstance(answer, Problem)
    assert answer.extra == {}
    assert (world.batches(), world.store.objects) == ({}, {})
