"""Real Kafka, Postgres and S3 for the tests, and real services on them. The fixture `stack` (conftest.py) hands out a `Stack`.

    async def test_…(stack):
        async with stack.services(processors=2) as quire:
            await client.post(f"{quire.ingest_url}/api/documents/process", …)
            await quire.kill("processor-1")

Each `services` block gets a Kafka topic, consumer groups, a database and a bucket of its own, unless a `backing` is given.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import asyncpg
import psutil

from quire_local.ports import Ports, free_ports, is_free
from quire_local.services import Addresses, Backing, Service, services
from quire_local.stack import silent, start_all, stop_all


class Outage(Protocol):
    """A part of the stack that a test may take away and give back, at the same address and with its data."""

    name: str

    async def start(self) -> None: ...
    async def wait_ready(self) -> None: ...
    async def stop(self) -> None: ...
    async def restart(self) -> None: ...

    def freeze(self) -> None:
        """It goes on to exist and answers nobody (SIGSTOP)."""

    def thaw(self) -> None: ...


@dataclass(frozen=True)
class Stack:
    """`await stack.kafka.stop()`, `await stack.kafka.restart()`: an outage. `freeze()`, `thaw()`: one that answers nobody."""

    kind: str
    kafka: Outage
    postgres: Outage
    s3: Outage
    backing: Backing
    """Where the three are. Topic, database and bucket of this one are shared: use `fresh()` to have some for yourself."""
    logs: Path

    async def fresh(self) -> Backing:
        """A topic name, a bucket name (both made by whoever uses them first), consumer groups, and an empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.backing.postgres)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        dsn = f"{self.backing.postgres.rpartition('/')[0]}/{name}"
        return replace(self.backing, topic=f"{name}.batches", bucket=name, postgres=dsn, group_suffix=f"-{name}")

    @contextlib.asynccontextmanager
    async def services(
        self, backing: Backing | None = None, *, processors: int = 1, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[Quire]:
        """ingest, notifier and processors as processes, all ready; stopped at the end.

        `settings` are QUIRE_ variables for all of them. Fails the test when one does not get ready. When the block fails,
        what each of them last logged is shown.
        """
        backing = backing or await self.fresh()
        ports = with_free_ports(processors)
        logs = self.logs / backing.bucket
        common = {"QUIRE_KAFKA_SESSION_TIMEOUT_SECONDS": "6", "QUIRE_LOG_FORMAT": "console", **(settings or {})}
        quire = Quire(backing, ports, services(backing, ports, processors=processors, logs=logs, settings=common), common, logs)
        try:
            await start_all(quire.parts, silent)
            yield quire
        except BaseException:
            quire.show_logs()
            raise
        finally:
            for part in quire.parts:
                part.thaw()
            await stop_all(quire.parts)


@dataclass
class Quire:
    """Running services. Names: ingest, notifier, processor-1, processor-2, …"""

    backing: Backing
    ports: Ports
    parts: list[Service]
    settings: Mapping[str, str]
    logs: Path

    @property
    def ingest_url(self) -> str:
        return Addresses(self.ports).ingest

    @property
    def notifier_url(self) -> str:
        return Addresses(self.ports).notifier

    @property
    def pids(self) -> dict[str, int]:
        """Of the processes that serve. A processor and a notifier have a guardian beside, which is their parent."""
        return {part.name: _serving(part) for part in self.parts if part.alive}

    def env(self) -> dict[str, str]:
        """An environment for commands (`quire …`, `python -m quire_notifier rebuild`) that shall use these services."""
        return {**os.environ, **self.backing.environment, **Addresses(self.ports).environment, **self.settings}

    def part(self, name: str) -> Service:
        return next(part for part in self.parts if part.name == name)

    def ops_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.part(name).ops_port}"

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends the signal to the process that serves, and waits for the end; gives the exit status."""
        os.kill(_serving(self.part(name)), number)
        return await self.part(name).child.wait()

    async def lose(self, name: str) -> None:
        """Kills it together with its guardian, as if its machine were lost: nobody tells Kafka."""
        self.part(name).child.send(signal.SIGKILL)
        await self.part(name).child.wait()

    async def stop(self, name: str) -> None:
        """SIGTERM, and its clean end."""
        await self.part(name).stop()

    async def start(self, name: str) -> None:
        """Starts one that was stopped or killed, and waits until it is ready."""
        await self.part(name).start()
        await self.part(name).wait_ready()

    async def restart(self, name: str) -> None:
        await self.part(name).restart()

    def freeze(self, name: str) -> None:
        self.part(name).freeze()

    def thaw(self, name: str) -> None:
        self.part(name).thaw()

    async def add_processor(self, settings: Mapping[str, str] | None = None) -> str:
        """One more, ready; gives its name."""
        number = sum(part.name.startswith("processor-") for part in self.parts) + 1
        ports = replace(self.ports, processor_ops=free_ports(1)[0] - number + 1)
        common = {**self.settings, **(settings or {})}
        part = services(self.backing, ports, processors=number, logs=self.logs, settings=common)[-1]
        self.parts.append(part)
        await self.start(part.name)
        return part.name

    def log(self, name: str) -> str:
        """All that a service has logged."""
        return (self.logs / f"{name}.log").read_text(errors="replace")

    def show_logs(self, lines: int = 40) -> None:
        """On standard output, which pytest shows with a failed test."""
        for path in sorted(self.logs.glob("*.log")):
            last = path.read_text(errors="replace").splitlines()[-lines:]
            print(f"---- {path.stem}, last {len(last)} lines ----", *last, sep="\n")  # noqa: T201 - pytest shows it


def with_free_ports(processors: int) -> Ports:
    """Ports for services only; those of processors follow each other."""
    while True:
        ingest, notifier, ingest_ops, notifier_ops, first = found = free_ports(5)
        row = range(first, first + processors)
        if all(map(is_free, row)) and not set(found[:4]) & set(row):
            return Ports(ingest=ingest, notifier=notifier, ingest_ops=ingest_ops, notifier_ops=notifier_ops, processor_ops=first)


def _serving(part: Service) -> int:
    """One that has just been started has no child yet."""
    children = [] if part.name == "ingest" else psutil.Process(part.pid).children()
    return children[0].pid if children else part.pid
