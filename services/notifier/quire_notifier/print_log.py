"""`quire events`: prints the log for people or programs."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from quire_notifier.settings import NotifierSettings
from quire_runtime.handler import LogRecord
from quire_runtime.kafka import LogUnavailable, partition_of
from quire_runtime.logs import setup
from quire_runtime.scan import LogScan
from quire_schemas.cloudevents import UnknownType
from quire_schemas.events import Event

_SHOWN_BYTES = 2_000
FOLLOW_SECONDS = 0.5
_LONG = frozenset({"files", "in_flight"})


async def events(settings: NotifierSettings, argv: Sequence[str]) -> int:
    """Prints every record of the log. Records that are read together are ordered by time. With `--invalid`, prints only records
    that are no events of Quire.
    """
    try:
        wanted = _wanted(argv)
    except ValueError as error:
        sys.stderr.write(f"{error}. events takes --batch ID, --follow, --invalid and --json\n")
        return 2
    setup(msgspec.structs.replace(settings.log, level="critical"), "notifier")
    try:
        found = await _print(settings, wanted)
    except LogUnavailable as error:
        sys.stderr.write(f"quire events: {error}. Try again when it answers.\n")
        return 2
    if wanted.only_invalid and not wanted.as_json:
        sys.stderr.write(f"{found} records of the log are none of Quire's events.\n")
    return 0


class _Wanted(NamedTuple):
    """What is printed: the records of one batch (None: of all). `follow` means to wait for new ones."""

    batch_id: str | None
    follow: bool
    only_invalid: bool
    as_json: bool

    def has(self, record: LogRecord) -> bool:
        if self.batch_id is not None and (record.event is None or record.event.batch_id != self.batch_id):
            return False
        return record.invalid is not None or not self.only_invalid


def _wanted(argv: Sequence[str]) -> _Wanted:
    """Parses the arguments. Raises ValueError."""
    parser = argparse.ArgumentParser("quire events", add_help=False, exit_on_error=False)
    parser.add_argument("--batch", type=UUID)
    for flag in ("--follow", "--invalid", "--json"):
        parser.add_argument(flag, action="store_true")
    try:
        options, unknown = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    if unknown:
        raise ValueError(f"unknown arguments {' '.join(sorted(unknown))}")
    return _Wanted(str(options.batch) if options.batch else None, options.follow, options.invalid, options.json)


async def _print(settings: NotifierSettings, wanted: _Wanted) -> int:
    """Prints the records. Returns how many. Raises LogUnavailable."""
    found, shown = 0, as_json if wanted.as_json else as_line
    async with LogScan(settings.kafka, "events") as scan:
        following = await scan.begins()
        if wanted.batch_id is not None:
            partition = partition_of(wanted.batch_id.encode(), settings.kafka.partitions)
            following = {partition: following[partition]}
        while True:
            ends = await scan.ends()
            async for records in scan.read(following, ends):
                for record in sorted(filter(wanted.has, records), key=lambda record: record.timestamp_ms):
                    found += 1
                    sys.stdout.write(shown(record) + "\n")
            sys.stdout.flush()
            if not wanted.follow:
                return found
            following = {partition: max(offset, ends[partition]) for partition, offset in following.items()}
            await asyncio.sleep(FOLLOW_SECONDS)


def as_json(record: LogRecord) -> str:
    return msgspec.json.encode(described(record)).decode()


def described(record: LogRecord) -> dict[str, Any]:
    """Returns partition, offset and Kafka's timestamp, with the event, or with the reason why it is invalid and the record's
    contents.
    """
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
