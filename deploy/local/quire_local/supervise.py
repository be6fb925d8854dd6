"""Runs the whole of Quire on this machine: starts the stack and the services, and watches them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from quire_local import jars
from quire_local.directory import write_whole
from quire_local.errors import LocalError
from quire_local.ports import HOST, Ports
from quire_local.services import Addresses, Service, services, shared_secret
from quire_local.stack import LocalStack, Tell, start_all, stop_all
from quire_local.watch import Watch


@dataclass(frozen=True)
class Options:
    """Options of `quire up`."""

    data: Path
    ports: Ports
    processors: int = 1
    fresh: bool = False
    restart: bool = False
    """Whether a service that dies is started again. If not, its death stops everything; only a processor may die while another
    one runs.
    """


@dataclass(frozen=True)
class Running:
    """A stack and its services, which were all ready."""

    stack: LocalStack
    services: list[Service]

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.stack.ports)

    @property
    def pids(self) -> dict[str, int]:
        return {part.name: part.pid for part in (*self.stack.parts, *self.services) if part.alive}

    def publish(self) -> None:
        """Writes stack.json with all addresses (docs/design.md, "Contracts"), and notes the processes for the next start."""
        backing = self.stack.backing
        content = {
            "ingest_url": self.addresses.ingest,
            "notifier_url": self.addresses.notifier,
            "kafka": backing.kafka,
            "postgres": backing.postgres,
            "s3": {
                "endpoint": backing.s3_endpoint,
                "bucket": backing.bucket,
                "access_key": backing.s3_access_key,
                "secret_key": backing.s3_secret_key,
            },
            "auth_secret": shared_secret(),
            "ops": {service.name: f"http://{HOST}:{service.ops_port}" for service in self.services},
            "pids": self.pids,
        }
        write_whole(self.stack.data.stack_file, json.dumps(content, indent=2) + "\n")
        self.stack.data.remember(self.pids)


@contextlib.asynccontextmanager
async def running(options: Options, tell: Tell, progress: jars.Progress) -> AsyncIterator[Running]:
    """Starts the stack, then the services; at the end of the block, stops the services, then the stack. Raises a LocalError."""
    needed = options.ports.of_services(options.processors)
    starting = LocalStack.running(
        options.data, options.ports, fresh=options.fresh, also_needed=needed, tell=tell, progress=progress
    )
    async with starting as stack:
        whole = Running(stack, services(stack.backing, options.ports, processors=options.processors, logs=stack.data.logs))
        try:
            await start_all(whole.services, tell)
            whole.publish()
            yield whole
        finally:
            stack.data.stack_file.unlink(missing_ok=True)
            tell("stopping")
            await stop_all(whole.services)


async def up(options: Options, tell: Tell, progress: jars.Progress, when_ready: Callable[[Running], Awaitable[None]]) -> None:
    """Runs until cancelled, or until a part dies (PartFailed). `when_ready` is called once all is ready."""
    try:
        async with running(options, tell, progress) as whole, asyncio.TaskGroup() as group:
            watch = Watch(whole.stack.parts, whole.services, options.restart, tell, whole.publish)
            group.create_task(watch.run())
            await when_ready(whole)
    except* LocalError as failures:
        raise failures.exceptions[0] from None
