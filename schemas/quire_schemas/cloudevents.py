"""Events as Kafka records: CloudEvents 1.0, Kafka protocol binding, binary mode (DESIGN §2).

Attributes are `ce_…` headers, the value is the JSON of one struct, the key is the batch id.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from quire_schemas.events import MAX_FILENAME_BYTES, TYPES, Event
from quire_schemas.text import is_clean

MAX_RECORD_BYTES = 65_536
CONTENT_TYPE = "application/json"

_SUBJECT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COLLECTION = re.compile(r"[A-Za-z0-9._-]{1,128}")
_REQUIRED = ("ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_specversion", "ce_collectionid")
_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(struct) for name, struct in TYPES.items()}


class CodecError(ValueError):
    """A record that is no event of ours, or an event that cannot become a record."""


class UnknownType(CodecError):
    """An event of a type that this version does not know: newer than us, or not Quire's. It is skipped."""


class InvalidEvent(CodecError):
    """A record that claims a known type and breaks its contract. It is left behind, loudly."""


class Record(NamedTuple):
    """What is handed to Kafka."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def encode(event: Event) -> Record:
    """The record of an event; raises InvalidEvent where it would be refused by `decode`."""
    try:
        value = _encoder.encode(event.data)
    except UnicodeEncodeError as error:
        raise InvalidEvent("the event holds a lone surrogate; scrub the text before it becomes an event") from error
    record = Record(event.batch_id.encode(), value, _headers(event))
    _check_size(record.value)
    decode(*record)
    return record


def decode(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Event:
    """The event of a record; raises UnknownType or InvalidEvent."""
    attributes = _attributes(headers)
    ce_type = attributes["ce_type"]
    if ce_type not in TYPES:
        raise UnknownType(f"unknown event type {ce_type[:100]!r}")
    if value is None:
        raise InvalidEvent("the record has no value")
    _check_size(value)
    _check_attributes(attributes, key)
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
    _check_meaning(event, value)
    return event


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, such as 2026-01-02T03:04:05.678901Z."""
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
    try:
        encoded = [(name, value.encode()) for name, value in headers.items()]
    except UnicodeEncodeError as error:
        raise InvalidEvent("an attribute holds a lone surrogate") from error
    return [*encoded, ("content-type", CONTENT_TYPE.encode())]


def _attributes(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    try:
        attributes = {name: value.decode() for name, value in headers if name.startswith("ce_") and value is not None}
    except UnicodeDecodeError as error:
        raise InvalidEvent("an attribute is not UTF-8") from error
    missing = [name for name in _REQUIRED if name not in attributes]
    if missing:
        raise InvalidEvent(f"the record lacks {', '.join(missing)}")
    return attributes


def _check_size(value: bytes) -> None:
    if len(value) > MAX_RECORD_BYTES:
        raise InvalidEvent(f"the value takes {len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed")


def _check_attributes(attributes: dict[str, str], key: bytes | None) -> None:
    if attributes["ce_specversion"] != "1.0":
        raise InvalidEvent(f"CloudEvents {attributes['ce_specversion'][:20]!r} is not supported, 1.0 is")
    if key != attributes["ce_subject"].encode():
        raise InvalidEvent("the key is not the batch id")
    if not _SUBJECT.fullmatch(attributes["ce_subject"]):
        raise InvalidEvent("the subject is not a UUID")
    if not _COLLECTION.fullmatch(attributes["ce_collectionid"]):
        raise InvalidEvent("the collection id is not [A-Za-z0-9._-]{1,128}")
    if not all(is_clean(value) for value in attributes.values()):
        raise InvalidEvent("an attribute holds NUL")


def _time(text: str) -> datetime:
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise InvalidEvent(f"ce_time is not RFC 3339: {text[:40]!r}") from error
    if time.tzinfo is None:
        raise InvalidEvent(f"ce_time has no time zone: {text[:40]!r}")
    return time.astimezone(UTC)


def _check_meaning(event: Event, value: bytes) -> None:
    collection = getattr(event.data, "collection_id", event.collection_id)
    if collection != event.collection_id:
        raise InvalidEvent("ce_collectionid and the value's collection_id differ")
    for file in getattr(event.data, "files", ()):
        if len(file.filename.encode()) > MAX_FILENAME_BYTES:
            raise InvalidEvent(f"the name of file {file.file_id} takes more than {MAX_FILENAME_BYTES} bytes")
    if b"\\u0000" in value and not _all_clean(msgspec.to_builtins(event.data)):
        raise InvalidEvent("the value holds NUL")


def _all_clean(value: object) -> bool:
    if isinstance(value, str):
        return is_clean(value)
    if isinstance(value, dict):
        return all(_all_clean(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_all_clean(item) for item in value)
    return True
