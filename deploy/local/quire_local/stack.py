"""Runs Kafka, Postgres and S3 of one data directory together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from quire_local import jars
from quire_local.directory import Credentials, DataDirectory
from quire_local.kafka import Kafka
from quire_local.part import Part
from quire_local.ports import Ports, require_free
from quire_local.postgres import Postgres
from quire_local.s3 import S3
from quire_local.services import Backing

Tell = Callable[[str], None]
"""Function that takes one line for the waiting user."""


def silent(_line: str) -> None:
    """Tells nothing; for tests and programs."""


def no_progress(_done: int, _total: int) -> None:
    """Shows no progress; for tests and programs."""


@dataclass(frozen=True)
class LocalStack:
    """The three running parts. Each can be stopped and started alone: `await stack.kafka.stop()`, `.start()`, `.wait_ready()`.

    `LocalStack.running(…)` makes a stack, and stops its parts at the end of the block.
    """

    data: DataDirectory
    ports: Ports
    kafka: Kafka
    postgres: Postgres
    s3: S3

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        return self.kafka, self.postgres, self.s3

    @property
    def pids(self) -> dict[str, int]:
        return {part.name: part.pid for part in self.parts}

    @property
    def backing(self) -> Backing:
        return Backing(self.kafka.bootstrap, self.postgres.dsn, self.s3.endpoint, self.s3.access_key, self.s3.secret_key)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        directory: Path,
        ports: Ports,
        *,
        fresh: bool = False,
        also_needed: Sequence[tuple[int, str]] = (),
        tell: Tell = silent,
        progress: jars.Progress = no_progress,
    ) -> AsyncIterator[Self]:
        """Locks the directory, fetches missing jars, starts the parts, and stops them at the end of the block.

        `also_needed` are ports that must be free for other processes, with the names of these.

        Raises a LocalError: DirectoryInUse, NotOurs, Unusable, PortTaken, JarRefused, JarUnavailable, PartFailed.
        """
        data = DataDirectory.at(directory)
        with data.owned(fresh=fresh) as credentials:
            await require_free([*also_needed, *ports.of_infrastructure()])
            cache = jars.cache_directory()
            pinned = jars.pinned()
            await fetch(pinned, cache, progress)
            stack = cls._of(data, ports, credentials, cache, pinned)
            try:
                await start_all(stack.parts, tell)
                data.remember(stack.pids)
                yield stack
            finally:
                await stop_all(stack.parts)
                data.processes.unlink(missing_ok=True)

    @classmethod
    def _of(cls, data: DataDirectory, ports: Ports, credentials: Credentials, cache: Path, pinned: Sequence[jars.Jar]) -> Self:
        kafka = Kafka(
            data.path / "kafka",
            data.logs,
            port=ports.kafka,
            controller_port=ports.kafka_controller,
            classpath=jars.classpath("kafka", cache, pinned),
        )
        postgres = Postgres(data.path / "postgres", data.logs, port=ports.postgres, password=credentials.postgres_password)
        s3 = S3(
            data.path / "s3",
            data.logs,
            port=ports.s3,
            access_key=credentials.s3_access_key,
            secret_key=credentials.s3_secret_key,
            classpath=jars.classpath("s3", cache, pinned),
        )
        return cls(data, ports, kafka, postgres, s3)


async def fetch(pinned: Sequence[jars.Jar], cache: Path, progress: jars.Progress) -> None:
    """Runs `jars.ensure` in a thread. Cancelling this coroutine cancels the download."""
    cancelled = threading.Event()
    try:
        await asyncio.to_thread(jars.ensure, pinned, cache, progress, cancelled)
    finally:
        cancelled.set()


async def start_all(parts: Sequence[Part], tell: Tell) -> None:
    """Starts all parts at the same time. If one fails, cancels the start of the others and raises the first error."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(_start(part, tell))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def stop_all(parts: Sequence[Part]) -> None:
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part.stop())


async def _start(part: Part, tell: Tell) -> None:
    began = time.monotonic()
    await part.start()
    await part.wait_ready()
    tell(f"{part.name} is ready ({time.monotonic() - began:.1f} s)")
