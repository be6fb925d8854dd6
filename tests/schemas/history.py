"""A model of what may reach the log about one batch, and what must hold of the fold at each record.

Two workers start runs and say things about them, also long after they have been taken over (zombies). People cancel and
retry, from views that may be old. Whatever is said may arrive late, twice, or never. `accepts` is the table of DESIGN §2,
written once more as plainly as can be; `evolve` is what is tested, and can be replaced by a broken one.
"""

from collections.abc import Callable, Iterator
from typing import ClassVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, precondition, rule
from msgspec import structs
from tests.schemas.story import (
    BATCH,
    at,
    batch_failed,
    cancel,
    completed,
    created,
    failed,
    processed,
    progressed,
    released,
    say,
    started,
    uid,
)

from quire_schemas import batch, ids
from quire_schemas.batch import BatchState
from quire_schemas.cloudevents import decode, encode
from quire_schemas.events import (
    POLICIES,
    TERMINAL,
    BatchCancelRequested,
    BatchCompleted,
    BatchCreated,
    BatchFailed,
    BatchProgressed,
    BatchReleased,
    BatchRetryRequested,
    BatchStarted,
    Event,
    FileFailed,
    FileProcessed,
    Policy,
)
from quire_schemas.retry import retry_requested

Evolve = Callable[[BatchState | None, Event, int], BatchState | None]

FILES = "abc"
RUNS = "123456"
files = st.sampled_from(FILES)
some_files = st.sets(files).map(sorted).map("".join)


def accepts(state: BatchState | None, event: Event) -> bool:  # noqa: PLR0911 - a line for each row of the table
    """The column *accepted when* of DESIGN §2."""
    data = event.data
    if state is None:
        return isinstance(data, BatchCreated | BatchRetryRequested)
    ended = state.status in TERMINAL
    match data:
        case BatchCreated():
            return False
        case BatchStarted():
            return not ended and data.attempt == state.attempt + 1
        case BatchCancelRequested():
            return not ended and data.generation == state.generation
        case BatchRetryRequested():
            return data.generation == state.generation and (ended or data.force)
    if state.status != "processing" or data.run_id != state.run_id:
        return False
    standing = {file.file_id: file.standing for file in state.files.values()}
    match data:
        case FileProcessed() | FileFailed():
            return standing.get(data.file_id) in ("queued", "processing")
        case BatchCompleted():
            return "processed" in standing.values() and not {"queued", "processing"} & set(standing.values())
    return True


class History(RuleBasedStateMachine):
    evolve: ClassVar[Evolve] = staticmethod(batch.evolve)

    on_its_way = Bundle("on_its_way")
    runs = Bundle("runs")

    @initialize(policy=st.sampled_from(POLICIES), count=st.integers(1, len(FILES)))
    def begin(self, policy: Policy, count: int) -> None:
        self.policy = policy
        self.log: list[Event] = []
        self.state: BatchState | None = None
        self.views: list[BatchState] = []  # each state there was: what someone may still believe
        self.accepted: set[str] = set()
        self.creation = created(FILES[:count], policy)
        self.unused_runs = iter(RUNS * 100)
        self.append(self.creation)

    # What is said. It arrives now, or is on its way.

    @rule(target=runs, worker=st.sampled_from("AB"), back=st.integers(0, 2))
    def start(self, worker: str, back: int) -> str:
        """A worker starts the batch as it believes it to stand."""
        run = f"{worker}{len(self.log)}-{next(self.unused_runs)}"
        self.append(started(run, self._view(back).attempt + 1))
        return run

    @rule(target=on_its_way, run=runs, now=st.booleans(), number=st.integers(1, 2), flight=some_files)
    def progress(self, run: str, now: bool, number: int, flight: str) -> object:  # noqa: FBT001 - drawn by name
        return self._say(progressed(run, number=number, **dict.fromkeys(flight, ("extracting", 1, 2))), now=now)

    @rule(target=on_its_way, run=runs, now=st.booleans(), file=files, well=st.booleans())
    def settle(self, run: str, now: bool, file: str, well: bool) -> object:  # noqa: FBT001 - drawn by name
        return self._say(processed(file, run) if well else failed(file, run), now=now)

    @precondition(lambda self: self.state.run_id is not None)
    @rule(well=st.lists(st.booleans(), min_size=len(FILES), max_size=len(FILES)), end=st.booleans())
    def work_through(self, well: list[bool], end: bool) -> None:  # noqa: FBT001 - drawn by name
        """The current run settles what is left, so that ends are not rare; its terminal may be lost."""
        run = self._run_name()
        for name, good in zip(FILES, well, strict=True):
            self.append(processed(name, run) if good else failed(name, run))
        if end:
            self.append(completed(run))
            self.append(batch_failed(run, "all_files_failed"))

    @rule(target=on_its_way, run=runs, now=st.booleans(), ending=st.sampled_from([released, completed, batch_failed]))
    def end(self, run: str, now: bool, ending: Callable[[str], Event]) -> object:  # noqa: FBT001 - drawn by name
        return self._say(ending(run), now=now)

    @rule(target=on_its_way, now=st.booleans(), back=st.integers(0, 3))
    def cancel(self, now: bool, back: int) -> object:  # noqa: FBT001 - drawn by name
        return self._say(cancel(self._view(back).generation), now=now)

    @rule(target=on_its_way, now=st.booleans(), back=st.integers(0, 3), force=st.booleans(), named=st.none() | some_files)
    def retry(self, now: bool, back: int, force: bool, named: str | None) -> object:  # noqa: FBT001 - drawn by name
        """Of a view that has ended; with force also of one that has not."""
        view = self._view(back)
        if not (view.terminal or force):
            return multiple()
        file_ids = None if named is None else tuple(map(uid, named))
        event_id = ids.retry_id(BATCH, view.generation, force=force, file_ids=file_ids)
        return self._say(say(retry_requested(view, force=force, file_ids=file_ids), event_id), now=now)

    @rule(event=consumes(on_its_way))
    def arrive(self, event: Event) -> None:
        self.append(event)

    @rule(event=on_its_way)
    def arrive_and_be_sent_again(self, event: Event) -> None:
        self.append(event)

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """Something said before arrives once more, however late."""
        self.append(data.draw(st.sampled_from(self.log)))

    # What must hold

    def append(self, event: Event) -> None:
        offset, before = len(self.log), self.state
        event = structs.replace(event, time=at(offset))
        assert decode(*encode(event)) == event
        self.log.append(event)
        frozen = msgspec.json.encode(before)
        self.state = after = self.evolve(before, event, offset)
        assert msgspec.json.encode(before) == frozen, "a state was changed in its place"
        if accepts(before, event):
            self.check_acceptance(before, event, after, offset)
            self.views.append(after)
        else:
            assert after is before, "what is not accepted changes nothing"

    def check_acceptance(self, before: BatchState | None, event: Event, after: BatchState | None, offset: int) -> None:
        assert after is not None
        assert after is not before
        assert after.offset == offset
        assert event.id not in self.accepted or isinstance(event.data, BatchProgressed), "what was accepted is not accepted again"
        self.accepted.add(event.id)
        self.check_shape(after)
        if before is not None:
            self.check_step(before, event, after)
        self.check_twice(event, after, offset)

    def check_shape(self, state: BatchState) -> None:
        counts = [state.count(standing) for standing in ("processed", "failed", "cancelled")]
        assert (state.run_id is not None) == (state.status == "processing")
        assert (state.ended_at is not None) == state.terminal
        assert not state.terminal or sum(counts) == state.total, "total = processed + failed + cancelled"
        assert state.status != "completed" or state.count("processed") == state.total
        assert state.status != "completed_with_errors" or 0 < state.count("processed") < state.total
        assert msgspec.json.decode(msgspec.json.encode(state), type=BatchState) == state
        for file in state.files.values():
            assert (file.code is not None) == (file.standing == "failed")
            assert (file.text_key is not None) == (file.standing == "processed")
            assert (file.stage is not None) == (file.standing == "processing")

    def check_step(self, before: BatchState, event: Event, after: BatchState) -> None:
        retried, has_started = isinstance(event.data, BatchRetryRequested), isinstance(event.data, BatchStarted)
        assert retried or not before.terminal, "the first end wins"
        assert after.generation == before.generation + retried
        assert after.attempt == before.attempt + has_started
        assert retried or has_started or after.run_id in (before.run_id, None)
        assert _description(after) == _description(before)
        assert after.start_offset in (
            {before.start_offset, after.offset} if retried and before.terminal else {before.start_offset}
        )
        assert not retried or event.data.force or after.start_offset == after.offset
        self.check_files(before, event, after)

    def check_files(self, before: BatchState, event: Event, after: BatchState) -> None:
        whole = self.policy == "all_or_nothing"
        for old, new in zip(before.files.values(), after.files.values(), strict=True):
            match event.data:
                case BatchRetryRequested(file_ids=named):
                    again = whole or (old.standing != "processed" and (not old.settled or named is None or old.file_id in named))
                    assert new.standing == ("queued" if again else old.standing)
                case BatchFailed() if whole:
                    assert new.standing == "failed"
                    assert old.standing != "failed" or new == old, "it keeps its own code"
                case BatchFailed() | BatchCancelRequested():
                    assert new == old if old.settled else new.standing in ("failed", "cancelled")
                case FileProcessed(file_id=file_id) | FileFailed(file_id=file_id):
                    assert new == old if old.file_id != file_id else new.settled
                case BatchStarted() | BatchReleased():
                    assert new == old if old.settled else new.standing == "queued"
                case _:
                    assert new == old if old.settled else not new.settled

    def check_twice(self, event: Event, after: BatchState, offset: int) -> None:
        assert self.evolve(after, event, offset) is after, "the same record twice"
        again = self.evolve(after, event, offset + 1)
        assert again is after or isinstance(event.data, BatchProgressed)
        assert again is not None
        assert structs.replace(again, offset=0, last_seen_at=None) == structs.replace(after, offset=0, last_seen_at=None)

    @rule()
    def read_from_the_start_of_the_batch(self) -> None:
        """Creation, or the retry of an ended batch: one who knows nothing and begins there knows everything."""
        assert self.state is not None
        assert self.fold(None, self.state.start_offset) == self.state

    @rule(data=st.data())
    def seek(self, data: st.DataObject) -> None:
        """Reading again from any offset changes nothing, not even the object."""
        assert self.fold(self.state, data.draw(st.integers(0, len(self.log)))) is self.state

    @rule()
    def everything_twice(self) -> None:
        """A log in which each record was sent twice means what it means with each of them once."""
        state: BatchState | None = None
        for offset, event in enumerate(event for event in self.log for _ in range(2)):
            state = self.evolve(state, event, offset)
        assert state is not None
        assert self.state is not None
        offsets = {"offset": 0, "start_offset": 0}
        assert structs.replace(state, **offsets) == structs.replace(self.state, **offsets)

    def teardown(self) -> None:
        if getattr(self, "state", None) is None:
            return
        self.read_from_the_start_of_the_batch()
        self.everything_twice()
        for offset in range(len(self.log)):
            assert self.fold(self.state, offset) is self.state

    # How

    def fold(self, state: BatchState | None, offset: int) -> BatchState | None:
        for place in range(offset, len(self.log)):
            state = self.evolve(state, self.log[place], place)
        return state

    def _say(self, event: Event, *, now: bool) -> object:
        if now:
            self.append(event)
            return multiple()
        return event

    def _view(self, back: int) -> BatchState:
        return self.views[max(0, len(self.views) - 1 - back)]

    def _run_name(self) -> str:
        names: Iterator[str] = (
            event.data.worker.removeprefix("worker of ")
            for event in reversed(self.log)
            if isinstance(event.data, BatchStarted) and event.data.run_id == self.state.run_id
        )
        return next(names)


def _description(state: BatchState) -> object:
    described = [(file.file_id, file.filename, file.size, file.sha256, file.object_key) for file in state.files.values()]
    return state.batch_id, state.collection_id, state.request_id, state.policy, state.created_at, described
