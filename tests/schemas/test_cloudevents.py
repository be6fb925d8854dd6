"""Events as Kafka records: what goes in comes out, and what no reader could store is refused both ways."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.schemas.story import (
    BATCH,
    COLLECTION,
    batch_failed,
    cancel,
    created,
    failed,
    processed,
    retry,
    say,
    spec,
    started,
    uid,
)

from quire_schemas import examples
from quire_schemas.cloudevents import MAX_RECORD_BYTES, CodecError, InvalidEvent, Record, UnknownType, decode, encode
from quire_schemas.events import (
    TYPES,
    BatchCancelRequested,
    BatchCreated,
    BatchRetryRequested,
    Event,
    EventData,
    FileFailed,
    FileProcessed,
)
from quire_schemas.text import is_clean


def header(record: Record, name: str, value: bytes | None) -> Record:
    """The record with the header set, or without it."""
    others = [pair for pair in record.headers if pair[0] != name]
    return record._replace(headers=others if value is None else [*others, (name, value)])


def body(record: Record, **fields: Any) -> Record:
    return record._replace(value=msgspec.json.encode({**msgspec.json.decode(record.value), **fields}))


def files(record: Record, **fields: Any) -> Record:
    return body(record, files=[{**file, **fields} for file in msgspec.json.decode(record.value)["files"]])


CREATED = encode(created())
RETRY = encode(retry())


# Round trips


@pytest.mark.parametrize("event", examples.events(), ids=lambda event: event.type)
def test_an_event_comes_back_as_it_was(event: Event):
    assert decode(*encode(event)) == event


def test_there_is_an_example_of_every_type():
    assert {event.type for event in examples.events()} == TYPES.keys()


def _named(filename: str) -> BatchCreated:
    data = created().data
    assert isinstance(data, BatchCreated)
    return structs.replace(data, files=(structs.replace(spec("a"), filename=filename),))


def _with_filename(text: str) -> EventData:
    return _named(text)


def _with_title(text: str) -> EventData:
    return FileProcessed(run_id=uid("r"), file_id=uid("a"), page_count=1, text_key="k", title=text)


def _with_message(text: str) -> EventData:
    return FileFailed(run_id=uid("r"), file_id=uid("a"), code="corrupt", message=text)


def _with_reason(text: str) -> EventData:
    return BatchCancelRequested(generation=0, reason=text)


TEXTS = {_with_filename: 255, _with_title: 255, _with_message: 1024, _with_reason: 1024}


@settings(max_examples=200)
@given(
    say_it=st.sampled_from(list(TEXTS)), text=st.text(st.characters(exclude_categories=()), min_size=1), times=st.integers(1, 300)
)
def test_every_text_comes_back_as_it_was_unless_it_is_too_long_or_not_clean(
    say_it: Callable[[str], EventData], text: str, times: int
):
    text = (text * times)[: TEXTS[say_it]]
    event = say(say_it(text), "an id")
    if is_clean(text) and len(text.encode()) <= TEXTS[say_it]:
        assert decode(*encode(event)) == event
    else:
        with pytest.raises(InvalidEvent):
            encode(event)


@settings(max_examples=200)
@given(
    record=st.builds(
        Record,
        st.binary(max_size=9),
        st.binary(max_size=60),
        st.lists(st.tuples(st.sampled_from(["ce_type", "ce_id", "x"]), st.binary(max_size=9))),
    )
)
def test_whatever_stands_in_the_topic_is_an_event_or_a_codec_error(record: Record):
    with pytest.raises(CodecError):
        decode(*record)


@settings(max_examples=300)
@given(position=st.integers(0, len(RETRY.value) - 1), byte=st.integers(0, 255))
def test_a_damaged_value_is_an_event_or_a_codec_error(position: int, byte: int):
    damaged = RETRY.value[:position] + bytes([byte]) + RETRY.value[position + 1 :]
    try:
        decode(RETRY.key, damaged, RETRY.headers)
    except InvalidEvent:
        return


def test_a_time_is_written_in_utc_to_the_microsecond():
    event = structs.replace(created(), time=datetime(2026, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=2))))
    record = encode(event)
    assert dict(record.headers)["ce_time"] == b"2026-01-02T01:04:05.000006Z"
    assert decode(*record).time == event.time


def test_fields_of_a_later_version_are_ignored():
    record = files(body(CREATED, priority="high"), colour="blue")
    assert decode(*header(header(record, "ce_later", b"x"), "other", b"\xff")) == created()


def test_headers_may_come_in_any_order():
    assert decode(CREATED.key, CREATED.value, list(reversed(CREATED.headers))) == created()


# Unknown, or invalid


@pytest.mark.parametrize("ce_type", [b"quire.batch.created.v2", b"com.example.order", b"quire.page.read.v1"])
def test_a_type_of_a_later_version_or_of_others_is_unknown_whatever_else_it_holds(ce_type: bytes):
    record = header(header(CREATED, "ce_type", ce_type), "ce_collectionid", None)
    with pytest.raises(UnknownType, match=ce_type.decode()):
        decode(b"another key", b"\xff", record.headers)


def test_a_record_without_a_type_is_invalid():
    with pytest.raises(InvalidEvent, match="lacks ce_id, ce_type"):
        decode(b"key", b"{}", [])


REFUSED: dict[str, tuple[Record, str]] = {
    "no value": (CREATED._replace(value=None), "no value"),  # type: ignore[arg-type] - what a tombstone gives
    "no JSON": (CREATED._replace(value=b"not JSON"), "not a quire.batch.created.v1"),
    "cut off": (CREATED._replace(value=CREATED.value[:-1]), "not a quire.batch.created.v1"),
    "not UTF-8": (CREATED._replace(value=CREATED.value.replace(b"a.pdf", b"\xff.pdf")), "not a quire.batch.created.v1"),
    "endless nesting": (body(CREATED, x=0)._replace(value=b'{"x":' + b"[" * 60_000), "not a quire.batch.created.v1"),
    "too large": (body(CREATED, padding="x" * MAX_RECORD_BYTES), "at most 65536"),
    "another key": (CREATED._replace(key=uid("other").encode()), "key is not the batch id"),
    "no key": (CREATED._replace(key=None), "key is not the batch id"),  # type: ignore[arg-type] - Kafka allows it
    "a subject that is no UUID": (header(CREATED, "ce_subject", b"b")._replace(key=b"b"), "not a UUID"),
    "a subject in upper case": (
        header(CREATED, "ce_subject", BATCH.upper().encode())._replace(key=BATCH.upper().encode()),
        "not a UUID",
    ),
    "no zone": (header(CREATED, "ce_time", b"2026-01-02T03:04:05"), "no time zone"),
    "no time": (header(CREATED, "ce_time", b"yesterday"), "not RFC 3339"),
    "at what Postgres takes for infinity": (header(CREATED, "ce_time", b"9999-12-31T23:59:59.999999Z"), "years 2 to 9998"),
    "before the year 1": (header(CREATED, "ce_time", b"0001-01-01T00:00:00+14:00"), "years 2 to 9998"),
    "created before the year 1": (body(RETRY, created_at="0001-01-01T00:00:00+14:00"), "years 2 to 9998"),
    "updated after the year 9999": (files(RETRY, updated_at="9999-12-31T23:59:59-14:00"), "years 2 to 9998"),
    "another spec version": (header(CREATED, "ce_specversion", b"0.3"), "'0.3' is not supported"),
    "a collection with a slash": (header(CREATED, "ce_collectionid", b"a/b"), "collection id"),
    "another collection": (body(CREATED, collection_id="other"), "differ"),
    "an attribute with NUL": (header(CREATED, "ce_source", b"/a\x00"), "NUL"),
    "an attribute too long": (header(CREATED, "ce_id", b"x" * 1025), "1024 bytes"),
    "an attribute not UTF-8": (header(CREATED, "ce_id", b"\xff"), "not UTF-8"),
    "an empty id": (header(CREATED, "ce_id", b""), "lacks ce_id"),
    "NUL": (files(CREATED, filename="a\x00.pdf"), "holds NUL"),
    "a lone surrogate": (CREATED._replace(value=CREATED.value.replace(b"a.pdf", b"\\udc80.pdf")), "not a quire.batch.created.v1"),
    "two files of one id": (files(CREATED, file_id=uid("a")), "named twice"),
    "two carried files of one id": (files(RETRY, file_id=uid("a")), "named twice"),
    "no files": (body(CREATED, files=[]), "length >= 1"),
    "101 files": (body(CREATED, files=[{"file_id": str(number)} for number in range(101)]), "length <= 100|not a quire"),
    "an id with a line feed": (files(CREATED, file_id=uid("a") + "\n"), "length <= 36|regex"),
    "a code that is none": (body(encode(failed("a")), code="odd"), "Invalid enum value 'odd'"),
    "a field too few": (CREATED._replace(value=b"{}"), "missing required field"),
    "a number beyond what a table holds": (body(encode(processed("a")), page_count=10**12), "<= 1000000000"),
    "a size beyond what a table holds": (files(CREATED, size=2**64), "9007199254740991"),
    "attempt 0": (body(encode(started()), attempt=0), ">= 1"),
    "a name of more than 255 bytes": (files(CREATED, filename="語" * 86), "filename takes more than 255 bytes"),
    "a request's name of more than 255 bytes": (body(CREATED, request_name="語" * 86), "request_name takes more than 255 bytes"),
    "a title of more than 255 bytes": (body(encode(processed("a")), title="語" * 86), "title takes more than 255 bytes"),
    "a message of more than 1 KiB": (body(encode(batch_failed()), message="語" * 342), "message takes more than 1024 bytes"),
    "a reason of more than 1 KiB": (body(encode(cancel()), reason="語" * 342), "reason takes more than 1024 bytes"),
    "a retry without force of a batch that has not ended": (files(RETRY, standing="processing"), "not settled"),
}


@pytest.mark.parametrize(("record", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_a_record_that_breaks_the_contract_is_invalid(record: Record, reason: str):
    with pytest.raises(InvalidEvent, match=reason):
        decode(*record)


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_specversion", "ce_collectionid"])
def test_a_record_that_lacks_an_attribute_is_invalid(name: str):
    with pytest.raises(InvalidEvent, match=f"lacks {name}"):
        decode(*header(CREATED, name, None))


def _carrying(**fields: Any) -> BatchRetryRequested:
    data = retry().data
    assert isinstance(data, BatchRetryRequested)
    return structs.replace(data, files=tuple(structs.replace(file, **fields) for file in data.files))


UNSENDABLE: dict[str, tuple[Event, str]] = {
    "NUL": (say(_named("a\x00"), "id"), "holds NUL"),
    "a lone surrogate": (say(_named("a\udc80"), "id"), "lone surrogate"),
    "a lone surrogate in an attribute": (structs.replace(created(), source="/\udc80"), "lone surrogate"),
    "a name too long": (say(_named("語" * 86), "id"), "255 bytes"),
    "too large": (
        say(
            structs.replace(
                _named("a"),
                files=tuple(structs.replace(spec("a"), file_id=uid(str(number)), object_key="k" * 1000) for number in range(64)),
            ),
            "id",
        ),
        "at most 65536",
    ),
    "a time without zone": (structs.replace(created(), time=datetime(2026, 1, 2)), "no time zone"),  # noqa: DTZ001 - the point
    "another type": (structs.replace(created(), type="quire.batch.released.v1"), "a BatchCreated is no quire.batch.released.v1"),
    "another collection": (structs.replace(created(), collection_id="other"), "differ"),
    "no UUID": (structs.replace(created(), batch_id="b"), "not a UUID"),
    "a retry without force of a batch that has not ended": (say(_carrying(standing="queued"), "id"), "not settled"),
}


@pytest.mark.parametrize(("event", "reason"), UNSENDABLE.values(), ids=list(UNSENDABLE))
def test_an_event_that_would_be_refused_is_not_sent(event: Event, reason: str):
    with pytest.raises(InvalidEvent, match=reason):
        encode(event)


def test_an_event_with_a_file_named_twice_cannot_even_be_made():
    with pytest.raises(ValueError, match="named twice"):
        BatchCreated(collection_id=COLLECTION, request_id=uid("request"), files=(spec("a"), spec("a")))


def test_control_characters_that_json_escapes_are_no_nul():
    event = say(FileProcessed(run_id=uid("r"), file_id=uid("a"), page_count=1, text_key="k", title="\\u0000 \x01 \\"), "id")
    assert decode(*encode(event)) == event


# The CloudEvents package


@pytest.mark.parametrize("event", examples.events(), ids=lambda event: event.type)
def test_the_cloudevents_package_reads_our_records(event: Event):
    record = encode(structs.replace(event, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    read = kafka.from_binary_event(kafka.KafkaMessage(dict(record.headers), record.key, record.value))
    assert (read.get_id(), read.get_type(), read.get_source()) == (event.id, event.type, event.source)
    assert (read.get_specversion(), read.get_subject(), read.get_time()) == ("1.0", event.batch_id, event.time)
    assert read.get_datacontenttype() == "application/json"
    assert read.get_extension("collectionid") == event.collection_id
    assert read.get_extension("traceparent") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert read.get_data() == msgspec.json.decode(record.value)


@pytest.mark.parametrize("event", examples.events(), ids=lambda event: event.type)
def test_we_read_the_records_of_the_cloudevents_package(event: Event):
    attributes = {
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "time": event.time,
        "subject": event.batch_id,
        "datacontenttype": "application/json",
        "collectionid": event.collection_id,
    }
    theirs = CloudEvent({**attributes, "specversion": "1.0"}, msgspec.to_builtins(event.data))
    message = kafka.to_binary_event(theirs, key_mapper=lambda written: written.get_subject())
    assert isinstance(message.key, str)
    assert decode(message.key.encode(), message.value, list(message.headers.items())) == event
