"""Events as Kafka records: CloudEvents 1.0, Kafka protocol binding, binary mode (docs/design.md, "The log").

Attributes are `ce_…` headers, the value is the JSON of one struct, the key is the batch id.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from quire_schemas.events import SETTLED, TYPE_OF, TYPES, BatchRetryRequested, Event, EventData
from quire_schemas.fields import COLLECTION, too_long
from quire_schemas.text import is_clean

MAX_RECORD_BYTES = 65_536
MAX_ATTRIBUTE_BYTES = 1_024
CONTENT_TYPE = "application/json"

_SUBJECT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REQUIRED = ("ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_specversion", "ce_collectionid")
_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(struct) for name, struct in TYPES.items()}


class CodecError(ValueError):
    """The record is no event of Quire, or the event cannot become a record."""


class UnknownType(CodecError):
    """The event has a type that this version does not know: it is newer, or not Quire's. Readers skip it."""


class InvalidEvent(CodecError):
    """The record has a known type and breaks its contract. Readers log it as an error and skip it."""


class Record(NamedTuple):
    """Key, value and headers of a Kafka record."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def encode(event: Event) -> Record:
    """Returns the record of an event. Raises InvalidEvent when `decode` would refuse it."""
    if event.type != TYPE_OF[type(event.data)]:
        raise InvalidEvent(f"a {type(event.data).__name__} is no {event.type}")
    if event.time.tzinfo is None:
        raise InvalidEvent("the time of the event has no time zone")
    try:
        record = Record(event.batch_id.encode(), _encoder.encode(event.data), _headers(event))
    except UnicodeEncodeError as error:
        raise InvalidEvent("the event holds a lone surrogate; scrub the text before it becomes an event") from error
    decode(*record)
    return record


def decode(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Event:
    """Returns the event of a record. Raises UnknownType or InvalidEvent."""
    attributes = _attributes(headers)
    ce_type = attributes.get("ce_type")
    if ce_type is not None and ce_type not in TYPES:
        raise UnknownType(f"unknown event type {ce_type[:100]!r}")
    _check_attributes(attributes, key)
    if value is None:
        raise InvalidEvent("the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        raise InvalidEvent(f"the value takes {len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed")
    ce_type = attributes["ce_type"]
    try:
        data = _decoders[ce_type].decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"the value is not a {ce_type}: {error}") from error
    event = Event(
        id=attributes["ce_id"],
        type=ce_type,
        source=attributes["ce_source"],
        time=_time(attributes["ce_time"]),
        batch_id=attributes["ce_subject"],
        collection_id=attributes["ce_collectionid"],
        data=data,
        traceparent=attributes.get("ce_traceparent"),
    )
    _check_collection(event)
    _check_texts(event.data, value)
    _check_description(event.data)
    return event


def format_time(time: datetime) -> str:
    """Returns the time in RFC 3339, in UTC with microseconds, such as 2026-01-02T03:04:05.678901Z."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _headers(event: Event) -> list[tuple[str, bytes]]:
    headers = {
        "ce_id": event.id,
        "ce_type": event.type,
        "ce_source": event.source,
        "ce_time": format_time(event.time),
        "ce_subject": event.batch_id,
        "ce_specversion": "1.0",
        "ce_collectionid": event.collection_id,
    }
    if event.traceparent is not None:
        headers["ce_traceparent"] = event.traceparent
    return [*((name, value.encode()) for name, value in headers.items()), ("content-type", CONTENT_TYPE.encode())]


def _attributes(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    try:
        return {name: value.decode() for name, value in headers if name.startswith("ce_") and value is not None}
    except UnicodeDecodeError as error:
        raise InvalidEvent("an attribute is not UTF-8") from error


def _check_attributes(attributes: dict[str, str], key: bytes | None) -> None:
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise InvalidEvent(f"the record lacks {', '.join(missing)}")
    if attributes["ce_specversion"] != "1.0":
        raise InvalidEvent(f"CloudEvents {attributes['ce_specversion'][:20]!r} is not supported, 1.0 is")
    if key != attributes["ce_subject"].encode():
        raise InvalidEvent("the key is not the batch id")
    if not _SUBJECT.fullmatch(attributes["ce_subject"]):
        raise InvalidEvent("the subject is not a UUID")
    if not COLLECTION.fullmatch(attributes["ce_collectionid"]):
        raise InvalidEvent(f"the collection id is not {COLLECTION.pattern}")
    if not all(is_clean(value) and len(value.encode()) <= MAX_ATTRIBUTE_BYTES for value in attributes.values()):
        raise InvalidEvent(f"an attribute holds NUL or takes more than {MAX_ATTRIBUTE_BYTES} bytes")


def _time(text: str) -> datetime:
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise InvalidEvent(f"ce_time is not RFC 3339: {text[:40]!r}") from error
    if time.tzinfo is None:
        raise InvalidEvent(f"ce_time has no time zone: {text[:40]!r}")
    return _in_utc(time)


def _in_utc(time: datetime) -> datetime:
    """Returns the time in UTC. Raises InvalidEvent outside the years 2 to 9998: Postgres reads the first and the last moment
    of a datetime as infinity.
    """
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        utc = None
    if utc is None or not 1 < utc.year < 9999:
        raise InvalidEvent(f"{time.isoformat()} lies outside the years 2 to 9998 in UTC")
    return utc


def _check_collection(event: Event) -> None:
    if getattr(event.data, "collection_id", event.collection_id) != event.collection_id:
        raise InvalidEvent("ce_collectionid and the value's collection_id differ")


def _check_texts(data: EventData, value: bytes) -> None:
    """Checks what the structs do not: limits in bytes, and that there is no NUL. Raises InvalidEvent. In plain ASCII without
    escapes, characters are bytes, and the structs have checked the lengths.
    """
    if value.isascii() and b"\\u" not in value:
        return
    if b"\\u0000" in value and not _all_clean(msgspec.to_builtins(data)):
        raise InvalidEvent("the value holds NUL")
    if (found := too_long(data)) is not None:
        field, limit = found
        raise InvalidEvent(f"a {field} takes more than {limit} bytes")


def _check_description(data: EventData) -> None:
    """Checks the description in a retry. Raises InvalidEvent when a retry that is not forced describes a batch with unsettled
    files, or when a time is out of range.
    """
    if not isinstance(data, BatchRetryRequested):
        return
    if not data.force and any(file.standing not in SETTLED for file in data.files):
        raise InvalidEvent("the retry of an ended batch carries a file that is not settled")
    for time in (data.created_at, *(file.updated_at for file in data.files)):
        _in_utc(time)


def _all_clean(value: object) -> bool:
    if isinstance(value, str):
        return is_clean(value)
    if isinstance(value, dict):
        return all(_all_clean(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_all_clean(item) for item in value)
    return True
