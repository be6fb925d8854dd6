"""A batch that was admitted can be created and retried within a record, whatever becomes of its files."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.schemas import story
from tests.schemas.filled import filled
from tests.schemas.story import (
    BATCH,
    COLLECTION,
    NAMES,
    batch_failed,
    completed,
    created,
    failed,
    processed,
    say,
    started,
    uid,
)

from quire_schemas.batch import evolve
from quire_schemas.cloudevents import MAX_RECORD_BYTES, decode, encode
from quire_schemas.events import MAX_BATCH_SIZE, BatchCreated, BatchRetryRequested, CarriedFile, Event, FileSpec
from quire_schemas.fields import NOTICES as NOTICE_CODES
from quire_schemas.fields import Notice
from quire_schemas.retry import fits, record_bytes, retry_requested
from quire_schemas.states import BatchState, FileState, carried

ARTEFACT = f"artefacts/{uid('batch')}/{uid('run')}/99.webp"  # as long as the processor makes them
NOTICES = tuple(Notice(code=code, message="語" * 255, count=10**9, names=("語" * 20,) * 5) for code in NOTICE_CODES)


def _spec(number: int, filename: str, object_key: str) -> FileSpec:
    return FileSpec(file_id=uid(str(number)), filename=filename, size=2**53 - 1, sha256="0" * 64, object_key=object_key)


def _admitted(filenames: list[str], object_key: str, path: str | None = None) -> list[FileSpec]:
    """The files of one batch, as ingest gathers them: the first one that does not fit begins another batch."""
    taken, files = 0, list[FileSpec]()
    for number, filename in enumerate(filenames):
        file = structs.replace(_spec(number, filename, object_key), path=path)
        if not fits(taken, file):
            break
        files.append(file)
        taken += record_bytes(file)
    return files


def _ended(files: list[FileSpec]) -> BatchState:
    """The batch at its largest: every field of every file is filled."""

    def outcome(file: FileSpec) -> FileState:
        spec = structs.asdict(file)
        said = filled(CarriedFile, **spec, standing="processed", page_count=10**9, pages_read=10**9, characters=2**53 - 1)
        said = structs.replace(said, code=None, duration_ms=2**53 - 1, notices=NOTICES, text_key=ARTEFACT, thumbnail_key=ARTEFACT)
        return FileState(**structs.asdict(said))

    ids = {"collection_id": "c" * 128, "request_id": uid("request")}
    said = filled(BatchRetryRequested, **ids, policy="all_or_nothing", generation=10**9, attempt=10**9, files=())
    of_files = {file.file_id: outcome(file) for file in files}
    return BatchState(batch_id=BATCH, files=of_files, offset=10**12, start_offset=0, status="completed", **carried(said))


def _ended_so(*events: Event) -> BatchState:
    state = story.given(*events).state
    assert state is not None
    return state


def _created(files: list[FileSpec]) -> BatchCreated:
    return BatchCreated(collection_id="c" * 128, request_id=uid("request"), policy="all_or_nothing", files=tuple(files))


def _record_size(data: BatchCreated | BatchRetryRequested) -> int:
    return len(encode(structs.replace(say(data, uid("id")), collection_id="c" * 128)).value)


@settings(max_examples=40)
@given(
    name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
    length=st.integers(1, 255),
    key_length=st.integers(1, 1024),
    path_length=st.integers(0, 1024),
)
def test_an_admitted_batch_fits_in_a_record_when_created_and_when_retried(
    name: str, length: int, key_length: int, path_length: int
):
    filename = (name * length).encode()[:length].decode(errors="ignore") or "n"
    files = _admitted([filename] * MAX_BATCH_SIZE, '"' * key_length, '"' * path_length or None)
    assert files, "one file alone always fits"
    retry = retry_requested(_ended(files), force=True, file_ids=tuple(file.file_id for file in files), by="語" * 255)
    assert _record_size(_created(files)) <= MAX_RECORD_BYTES
    assert _record_size(retry) <= MAX_RECORD_BYTES


def test_a_hundred_files_with_ordinary_names_fit():
    key = f"originals/{uid('request')}/{uid('upload')}"[:77]
    assert len(_admitted(["an ordinary name of a file.pdf"] * MAX_BATCH_SIZE, key)) == MAX_BATCH_SIZE


def test_a_batch_of_25_fits_whatever_its_names():
    assert len(_admitted(['"' * 255] * 25, "k" * 200)) == 25


def test_a_retry_carries_titles_messages_and_who_wants_it():
    state = _ended_so(created(), started(), processed("a"), failed("b"), batch_failed())
    retry = retry_requested(state, by="ada")
    assert [file.message for file in retry.files] == [None, "It is broken."]
    assert retry.by == "ada"
    assert decode(*encode(say(retry, "id"))).data == retry


def test_a_retry_carries_what_is_known_of_a_processed_file():
    told: dict[str, Any] = {"truncated": True, "pages_read": 2, "characters": 31, "notices": NOTICES[:2]}
    data = structs.replace(processed("a").data, **told)
    state = _ended_so(created(), started(), say(data, "id"), failed("b"), completed())
    again = story.given(say(retry_requested(state, file_ids=(uid("b"),)), "id")).state
    assert again is not None
    assert again.files[uid("a")] == state.files[uid("a")]
    assert {name: getattr(again.files[uid("a")], name) for name in told} == told


ANEW = {"status", "offset", "start_offset", "error_code", "error_message", "cancel_reason", "run_id", "worker", "fruitless"}
ANEW |= {"run_settled_a_file", "stage", "waiting_for", "started_at", "ended_at", "last_seen_at"}
"""What a batch that is retried has no more. Everything else is carried."""


def _retried(state: BatchState | None, known: BatchState) -> BatchState:
    retried = evolve(state, story.say(retry_requested(known), "id"), 8)
    assert retried is not None
    return retried


def test_a_field_of_a_batch_is_carried_by_its_retry_and_stays_or_begins_anew():
    ended = filled(BatchState, status="failed", files={"a": filled(FileState, file_id="a", standing="failed")})
    retried = _retried(ended, ended)
    assert set(BatchState.__struct_fields__) - carried(ended).keys() == ANEW | {"batch_id", "files"}
    assert carried(retried) == carried(ended) | {"generation": ended.generation + 1}
    assert [name for name in ANEW if getattr(retried, name) == getattr(ended, name)] == []


def test_who_does_not_know_a_batch_learns_from_its_retry_what_others_know():
    file = filled(FileState, file_id="a", standing="processed", stage=None, page=None, pages=None, suspected=0)
    ended = filled(BatchState, batch_id=BATCH, status="completed", files={"a": file})
    assert _retried(None, ended) == _retried(ended, ended)
    assert set(FileState.__struct_fields__) - set(CarriedFile.__struct_fields__) == {"stage", "page", "pages", "suspected"}


def test_a_retry_that_would_be_too_large_leaves_out_what_no_decision_rests_on():
    retry = retry_requested(_ended(_admitted(["n"] * MAX_BATCH_SIZE, "k" * 70)), by="ada")
    assert len(retry.files) == MAX_BATCH_SIZE
    left = {(file.title, file.message, file.pages_read, file.characters, file.notices, file.text_key) for file in retry.files}
    assert left == {(None, None, None, None, (), ARTEFACT)}


def test_a_retry_names_files_of_the_batch_only_and_each_once():
    state = _ended_so(created(), started(), failed("a"), failed("b"), batch_failed())
    retry = retry_requested(state, file_ids=(uid("b"), uid("z"), uid("b")))
    assert retry.file_ids == (uid("b"),)
    assert [NAMES[file.file_id] for file in retry.files] == ["a", "b"]
    assert retry.collection_id == COLLECTION
    assert retry_requested(state).file_ids is None
