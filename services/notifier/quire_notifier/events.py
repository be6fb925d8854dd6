"""`quire events`: the log as people, or programs, read it."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from quire_notifier.settings import NotifierSettings
from quire_runtime.handler import LogRecord
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import setup
from quire_runtime.scan import LogScan
from quire_schemas.cloudevents import UnknownType
from quire_schemas.events import Event

_SHOWN_BYTES = 2_000
_LONG = frozenset({"files", "in_flight"})


async def events(settings: NotifierSettings, argv: Sequence[str]) -> int:
    """Prints every record of the log, in the order of time as far as partitions allow; `--invalid`: only what is none of ours."""
    if unknown := set(argv) - {"--invalid", "--json"}:
        sys.stderr.write(f"unknown arguments {' '.join(sorted(unknown))}. events takes --invalid and --json\n")
        return 2
    setup(msgspec.structs.replace(settings.log, level="critical"), "notifier")
    try:
        found = await _print(settings, only_invalid="--invalid" in argv, shown=as_json if "--json" in argv else as_line)
    except LogUnavailable as error:
        sys.stderr.write(f"quire events: {error}. Try again when it answers.\n")
        return 2
    if "--invalid" in argv and "--json" not in argv:
        sys.stderr.write(f"{found} records of the log are none of Quire's events.\n")
    return 0


async def _print(settings: NotifierSettings, *, only_invalid: bool, shown: Callable[[LogRecord], str]) -> int:
    """How many lines were printed; raises LogUnavailable."""
    found = 0
    async with LogScan(settings.kafka, "events") as scan:
        async for records in scan.read(await scan.begins(), await scan.ends()):
            for record in sorted(records, key=lambda record: record.timestamp_ms):
                if record.invalid is not None or not only_invalid:
                    found += 1
                    sys.stdout.write(shown(record) + "\n")
    return found


def as_json(record: LogRecord) -> str:
    return msgspec.json.encode(described(record)).decode()


def described(record: LogRecord) -> dict[str, Any]:
    """Partition, offset and Kafka's timestamp; the event, or why there is none and what the record holds instead."""
    place = {"partition": record.partition, "offset": record.offset, "timestamp": _time(record)}
    if record.event is not None:
        return place | _event(record.event)
    shown = (record.value or b"")[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    headers = {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in record.headers}
    kind = "unknown_type" if isinstance(record.invalid, UnknownType) else "invalid"
    return place | {kind: str(record.invalid), "key": repr(record.key), "headers": headers, "value": shown}


def as_line(record: LogRecord) -> str:
    place = f"{_time(record):%Y-%m-%d %H:%M:%S.%f}"[:-3] + f"  {record.partition:>3}:{record.offset:<7}"
    if record.event is None:
        return f"{place} {'UNKNOWN' if isinstance(record.invalid, UnknownType) else 'INVALID'}  {record.invalid}"
    data = msgspec.to_builtins(record.event.data)
    rest = " ".join(
        f"{name}={len(value)}" if name in _LONG else f"{name}={value}"
        for name, value in data.items()
        if value not in (None, [], {})
    )
    return f"{place} {record.event.type.removeprefix('quire.'):<28} {record.event.batch_id}  {rest}"


def _event(event: Event) -> dict[str, Any]:
    names = ("id", "type", "source", "time", "batch_id", "collection_id", "traceparent")
    return {name: getattr(event, name) for name in names} | {"data": event.data}


def _time(record: LogRecord) -> datetime:
    return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
