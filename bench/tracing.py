"""`python bench/tracing.py`: what tracing costs. Off: CPU time of the paths that events take, as the services run them and once
more without the calls into tracing, by turns. On: CPU time of a span that is made, encoded and sent.
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from quire_local.ports import free_ports
from quire_notifier.projecting.fold import fold
from quire_notifier.projecting.traces import projecting
from quire_notifier.pushing.feed import Feed, Message
from quire_notifier.pushing.groups import Group
from quire_notifier.pushing.pushes import Pushes
from quire_notifier.pushing.tail import Tail
from quire_runtime import tracing
from quire_runtime.consumer import LogRecord
from quire_runtime.publisher import Publisher
from quire_runtime.settings import KafkaSettings, TracesSettings
from quire_schemas.cloudevents import encode
from quire_schemas.events import BatchCreated, Event, FileSpec, event_of

ROUNDS, SECONDS = 15, 0.1
POLL, SUBSCRIBERS, SPANS = 200, 1_000, 4_000
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Work = Callable[[], Awaitable[object]]


class Encoding(Publisher):
    """All of `publish` but the waiting for Kafka."""

    async def _publish(self, event: Event) -> tuple[int, int]:
        encode(event)
        return 0, 0


@dataclass(eq=False)
class Client:
    """A live subscriber that takes everything and does nothing."""

    encoding: Callable[[bytes], bytes]

    def live(self, data: bytes, now: float) -> None: ...

    def lost(self) -> None: ...


def created() -> Event:
    batch_id = str(uuid4())
    file = FileSpec(file_id=str(uuid4()), filename="a.pdf", size=1, sha256="0" * 64, object_key=f"originals/{batch_id}/0.pdf")
    return event_of(
        BatchCreated(collection_id="bench", request_id=str(uuid4()), files=(file,)),
        id=str(uuid4()),
        batch_id=batch_id,
        collection_id="bench",
        source="/bench",
        time=datetime.now(UTC),
        traceparent=TRACE,
    )


async def spent(work: Work) -> float:
    """CPU seconds of one call."""
    calls, began = 0, time.process_time()
    while (seconds := time.process_time() - began) < SECONDS:
        for _ in range(10):
            await work()
        calls += 10
    return seconds / calls


async def compare(name: str, work: Work, bare: Work) -> None:
    rounds = [(await spent(work), await spent(bare)) for _ in range(ROUNDS)]
    least, least_bare = (min(times) for times in zip(*rounds, strict=True))
    print(f"  {name:<21}{least * 1e6:>9.2f} µs, without {least_bare * 1e6:>9.2f} µs, ratio {least / least_bare:.3f}")


async def off() -> None:
    event, publisher = created(), Encoding(KafkaSettings(), "bench")
    await compare("publish an event", lambda: publisher.publish(event), lambda: publisher._publish(event))  # noqa: SLF001

    records = [LogRecord(0, n, 0, created(), None, None, ()) for n in range(POLL)]
    events = [(record.event, record.offset) for record in records if record.event is not None]

    async def poll() -> None:
        with projecting(records) as projected:
            projected.onward(fold(events, {}))

    async def poll_bare() -> None:
        fold(events, {})

    await compare(f"fold {POLL} events", poll, poll_bare)

    tail, group = Tail("bench", Feed(None)), Group([Message(1, b"{}" * 150)])  # type: ignore[arg-type]
    for _ in range(SUBSCRIBERS):
        tail.join(Client(bytes))

    pushes = Pushes()

    async def written() -> None:
        pushes.written(group.last, SUBSCRIBERS)

    pushing, tracing_it = await spent(lambda: tail._write(group)), await spent(written)  # noqa: SLF001 -- the same
    print(f"  push to {SUBSCRIBERS:<13,}{pushing * 1e6:>9.2f} µs, of which {tracing_it * 1e6:.2f} µs")

    async def file() -> None:
        with tracing.span("file", {"quire.file.id": "f"}, parent=TRACE):
            for stage in ("fetch", "extract", "insert", "upload"):
                with tracing.span(stage):
                    pass

    print(f"  the 5 spans of a file{await spent(file) * 1e6:>9.2f} µs")


async def on() -> None:
    (port,) = free_ports(1)
    with listening(port):
        began = time.process_time()
        async with tracing.exporting(TracesSettings(endpoint=f"http://127.0.0.1:{port}/v1/traces"), "bench"):
            loaded = time.process_time()
            for number in range(SPANS):
                with tracing.span("file", {"quire.file.id": str(number), "quire.file.size": number}, parent=TRACE):
                    pass
        print(f"  loading {loaded - began:.2f} s, then {(time.process_time() - loaded) / SPANS * 1e6:.0f} µs a span")


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Somebody who takes a request and answers that it will not do: so nothing is sent twice."""
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    print("off")
    asyncio.run(off())
    print("OpenTelemetry is not loaded" if "opentelemetry" not in sys.modules else "OpenTelemetry is loaded")
    print("on")
    asyncio.run(on())
