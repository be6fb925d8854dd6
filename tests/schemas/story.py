"""Events in few words, what each of them does, and `given(events).when(event).then(state)`. Files and runs go by a short name."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never
from uuid import UUID, uuid5

from msgspec import structs

from quire_schemas import ids
from quire_schemas.batch import evolve
from quire_schemas.events import (
    TERMINAL,
    BatchCancelRequested,
    BatchCode,
    BatchCompleted,
    BatchCreated,
    BatchFailed,
    BatchProgressed,
    BatchReleased,
    BatchRetryRequested,
    BatchStarted,
    CarriedFile,
    Event,
    EventData,
    FileCode,
    FileFailed,
    FileProcessed,
    FileSpec,
    FileStage,
    InFlight,
    Policy,
    Stage,
    Standing,
    event_of,
)
from quire_schemas.states import BatchState, FileState

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLLECTION = "invoices"


def uid(name: str) -> str:
    return str(uuid5(UUID(int=0), name))


BATCH = uid("batch")
NAMES = {uid(name): name for name in "abcdef"}


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def say(data: EventData, event_id: str) -> Event:
    return event_of(data, id=event_id, batch_id=BATCH, collection_id=COLLECTION, source="/quire/test", time=START)


def spec(name: str) -> FileSpec:
    return FileSpec(file_id=uid(name), filename=f"{name}.pdf", size=1000, sha256="0f" * 32, object_key=f"originals/{name}")


def created(files: str = "ab", policy: Policy = "isolate") -> Event:
    data = BatchCreated(collection_id=COLLECTION, request_id=uid("request"), policy=policy, files=tuple(map(spec, files)))
    return say(data, ids.created_id(BATCH))


def started(run: str = "r1", attempt: int = 1) -> Event:
    return say(
        BatchStarted(attempt=attempt, run_id=uid(run), worker=f"worker of {run}"), ids.started_id(BATCH, attempt, uid(run))
    )


def progressed(run: str = "r1", stage: Stage = "heartbeat", number: int = 1, **positions: tuple[FileStage, int, int]) -> Event:
    in_flight = tuple(
        InFlight(file_id=uid(name), stage=at, page=page, pages=pages) for name, (at, page, pages) in positions.items()
    )
    return say(BatchProgressed(run_id=uid(run), stage=stage, in_flight=in_flight), ids.progressed_id(uid(run), number))


def processed(file: str, run: str = "r1") -> Event:
    data = FileProcessed(run_id=uid(run), file_id=uid(file), page_count=3, text_key=f"text/{run}", thumbnail_key=f"thumb/{run}")
    return say(data, ids.settled_id(uid(run), uid(file)))


def failed(file: str, run: str = "r1", code: FileCode = "corrupt") -> Event:
    data = FileFailed(run_id=uid(run), file_id=uid(file), code=code, message="It is broken.")
    return say(data, ids.settled_id(uid(run), uid(file)))


def released(run: str = "r1") -> Event:
    return say(BatchReleased(run_id=uid(run)), ids.released_id(uid(run)))


def completed(run: str = "r1") -> Event:
    return say(BatchCompleted(run_id=uid(run)), ids.ended_id(uid(run)))


def batch_failed(run: str = "r1", code: BatchCode = "attempts_exhausted") -> Event:
    return say(BatchFailed(run_id=uid(run), code=code, message="It is over."), ids.ended_id(uid(run)))


def cancel(generation: int = 0) -> Event:
    return say(BatchCancelRequested(generation=generation, by="ada", reason="A mistake."), ids.cancel_id(BATCH, generation))


def retry(generation: int = 0, named: str | None = None, *, force: bool = False, attempt: int = 1, **carried: Standing) -> Event:
    """What it carries of the files is `carried`, by default that a and b have failed."""
    file_ids = None if named is None else tuple(map(uid, named))
    data = BatchRetryRequested(
        generation=generation,
        force=force,
        file_ids=file_ids,
        collection_id=COLLECTION,
        request_id=uid("request"),
        attempt=attempt,
        created_at=START,
        files=tuple(
            CarriedFile(**structs.asdict(spec(name)), standing=standing, updated_at=START)
            for name, standing in (carried or {"a": "failed", "b": "failed"}).items()
        ),
    )
    return say(data, ids.retry_id(BATCH, generation, force=force, file_ids=file_ids))


OF_A_GENERATION = (cancel,)
"""What people say of a generation. History says it at any time, of any generation that was seen."""
ENDS_OF_A_RUN = (released, completed, batch_failed)
ACCEPTED: dict[type, tuple[Event, ...]] = {
    BatchCreated: (created(),),
    BatchStarted: (created(), started()),
    BatchProgressed: (created(), started(), progressed()),
    BatchReleased: (created(), started(), released()),
    FileProcessed: (created(), started(), processed("a")),
    FileFailed: (created(), started(), failed("a")),
    BatchCompleted: (created("a"), started(), processed("a"), completed()),
    BatchFailed: (created(), started(), batch_failed()),
    BatchCancelRequested: (created(), cancel()),
    BatchRetryRequested: (created(), cancel(), retry()),
}
"""For each type a story of which all is accepted; it ends with an event of that type."""


def accepts(state: BatchState | None, event: Event) -> bool:  # noqa: PLR0911 - a line for each row of the table
    """The column *is accepted when* of docs/design.md, "The fold", written once more."""
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
    if state.status != "processing" or data.run_id != state.run_id:  # all others are of a run
        return False
    standing = {file.file_id: file.standing for file in state.files.values()}
    match data:
        case FileProcessed() | FileFailed():
            return standing.get(data.file_id) in ("queued", "processing")
        case BatchCompleted():
            return "processed" in standing.values() and not {"queued", "processing"} & set(standing.values())
        case BatchProgressed() | BatchReleased() | BatchFailed():
            return True
        case unexpected:
            assert_never(unexpected)


def check_file(old: FileState, event: Event, new: FileState, *, whole: bool) -> None:
    """The column *then* of docs/design.md, "The fold", for one file; `whole`: the policy is all_or_nothing."""
    match event.data:
        case BatchRetryRequested(file_ids=named):
            again = whole or (old.standing != "processed" and (not old.settled or named is None or old.file_id in named))
            assert new.standing == "queued" if again else new == old
        case BatchFailed() if whole:
            assert new == old if old.standing == "failed" else (new.standing, new.code) == ("failed", "batch_failed")
        case BatchFailed():
            assert new == old if old.settled else (new.standing, new.code) == ("failed", "batch_failed")
        case BatchCancelRequested():
            assert new == old if old.settled else new.standing == "cancelled"
        case FileProcessed(file_id=file_id) if old.file_id == file_id:
            assert new.standing == "processed"
        case FileFailed(file_id=file_id) if old.file_id == file_id:
            assert new.standing == "failed"
        case BatchStarted() | BatchReleased():
            assert new == old if old.settled else new.standing == "queued"
        case BatchProgressed():
            assert new == old if old.settled else not new.settled
        case _:
            assert new == old


@dataclass(frozen=True)
class Outcome:
    before: BatchState | None
    after: BatchState | None

    def then(self, files: dict[str, Standing] | None = None, **fields: Any) -> BatchState:
        """The event was accepted; these files and fields are so now."""
        assert self.after is not None
        assert self.after is not self.before
        assert {name: getattr(self.after, name) for name in fields} == fields
        standing = {NAMES[file.file_id]: file.standing for file in self.after.files.values()}
        assert files is None or standing == files
        return self.after

    def then_nothing_happens(self) -> None:
        assert self.after is self.before


@dataclass(frozen=True)
class Given:
    state: BatchState | None
    offset: int

    def when(self, event: Event, offset: int | None = None) -> Outcome:
        place = self.offset if offset is None else offset
        return Outcome(self.state, evolve(self.state, structs.replace(event, time=at(place)), place))


def given(*events: Event) -> Given:
    """The state after these events at offsets from 0, a second apart; each must be accepted, or the story would not be true."""
    told = Given(None, 0)
    for event in events:
        told = Given(told.when(event).then(), told.offset + 1)
    return told
