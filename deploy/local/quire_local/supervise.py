"""The whole of Quire on this machine: the stack, the services, and an eye on all of them."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from quire_local import jars
from quire_local.directory import write_whole
from quire_local.errors import LocalError, PartFailed
from quire_local.part import Part
from quire_local.ports import Ports
from quire_local.services import Addresses, Service, services
from quire_local.stack import LocalStack, Tell, start_all, stop_all

DEATHS_LIMIT, DEATHS_WITHIN_S = 5, 60.0
"""So many deaths of one service within so many seconds, and it is not started again."""


@dataclass(frozen=True)
class Options:
    data: Path
    ports: Ports
    processors: int = 1
    fresh: bool = False
    restart: bool = False
    """Start a service again that died. Otherwise the first death stops everything; but not that of one processor of several."""


@dataclass
class Running:
    """A stack whose parts are all ready."""

    stack: LocalStack
    services: list[Service]
    restart: bool
    tell: Tell
    _deaths: dict[str, collections.deque[float]] = field(default_factory=dict)

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.stack.ports)

    @property
    def pids(self) -> dict[str, int]:
        return self.stack.pids | {service.name: service.pid for service in self.services if service.alive}

    def publish(self) -> None:
        """Writes stack.json: where everything is (DESIGN §6), and notes the processes for the next start."""
        backing = self.stack.backing
        s3 = {
            "endpoint": backing.s3_endpoint,
            "bucket": backing.bucket,
            "access_key": backing.s3_access_key,
            "secret_key": backing.s3_secret_key,
        }
        content = {
            "ingest_url": self.addresses.ingest,
            "notifier_url": self.addresses.notifier,
            "kafka": backing.kafka,
            "postgres": backing.postgres,
            "s3": s3,
            "pids": self.pids,
        }
        write_whole(self.stack.data.stack_file, json.dumps(content, indent=2) + "\n")
        self.stack.data.remember(self.pids)

    async def watch(self) -> None:
        """Until a part dies that cannot be done without: PartFailed, naming it, how it ended and its last log lines."""
        try:
            async with asyncio.TaskGroup() as group:
                for part in (*self.stack.parts, *self.services):
                    group.create_task(self._watch(part))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _watch(self, part: Part) -> None:
        while True:
            await part.child.wait()
            failure = part.child.failure()
            if part in self.stack.parts or not self._dispensable(part, failure):
                raise failure
            self.publish()
            if not self.restart:
                return
            await part.start()
            await part.wait_ready()
            self.publish()
            self.tell(f"{part.name} runs again (pid {part.pid})")

    def _dispensable(self, part: Part, failure: PartFailed) -> bool:
        """Whether the rest goes on without this service, for now or for good."""
        if self.restart:
            deaths = self._deaths.setdefault(part.name, collections.deque(maxlen=DEATHS_LIMIT))
            deaths.append(time.monotonic())
            if len(deaths) == DEATHS_LIMIT and deaths[-1] - deaths[0] < DEATHS_WITHIN_S:
                return False
            self.tell(f"{failure}\nIt is started again.")
            return True
        others = [service.name for service in self.services if service.alive and is_processor(service)]
        if is_processor(part) and others:
            self.tell(f"{failure}\nIts work goes to {', '.join(others)}.")
            return True
        return False


def is_processor(part: Part) -> bool:
    return part.name.startswith("processor-")


@contextlib.asynccontextmanager
async def running(options: Options, tell: Tell, progress: jars.Progress) -> AsyncIterator[Running]:
    """Starts the stack and then the services; at the end stops the services and then the stack. Raises a LocalError."""
    needed = options.ports.of_services(options.processors)
    starting = LocalStack.running(
        options.data, options.ports, fresh=options.fresh, also_needed=needed, tell=tell, progress=progress
    )
    async with starting as stack:
        quire = services(stack.backing, options.ports, processors=options.processors, logs=stack.data.logs)
        whole = Running(stack, quire, options.restart, tell)
        try:
            await start_all(quire, tell)
            whole.publish()
            yield whole
        finally:
            stack.data.stack_file.unlink(missing_ok=True)
            tell("stopping")
            await stop_all(quire)


async def up(options: Options, tell: Tell, progress: jars.Progress, when_ready: Callable[[Running], Awaitable[None]]) -> None:
    """Runs until cancelled, or until a part dies (PartFailed). `when_ready` is called once all is ready."""
    try:
        async with running(options, tell, progress) as whole, asyncio.TaskGroup() as group:
            group.create_task(whole.watch())
            await when_ready(whole)
    except* LocalError as failures:
        raise failures.exceptions[0] from None
