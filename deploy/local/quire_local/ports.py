"""The ports of a stack's parts, and whether they are free."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from quire_local.errors import LocalError, PortTaken

HOST = "127.0.0.1"
PATIENCE_S = 2.0
"""Seconds for which a killed server may still hold its port: until the last of its threads has ended."""
BLOCK, FIRST_BLOCK, LAST_OFFSET = 100, 10_000, 54_000
"""Size of the block of ports of each further stack, the first port of all blocks (above all default ports), and the highest
offset.
"""
LASTING = (16_384, 29_000)
"""Range of ports below those that Linux, macOS and Windows give to outgoing connections."""


@dataclass(frozen=True)
class Ports:
    """The ports of one stack, all on the loopback address. Processor N, up to 64, has the ops port `processor_ops + N - 1`."""

    notifier: int = 8000
    ingest: int = 8001
    ingest_ops: int = 9100
    notifier_ops: int = 9101
    processor_ops: int = 9111
    kafka: int = 9092
    kafka_controller: int = 9093
    postgres: int = 5433
    s3: int = 9000

    @classmethod
    def at(cls, offset: int) -> Ports:
        """Returns the default ports for offset 0, else ports of the hundred from 10000 + `offset` on, which belong to it alone.

        Raises LocalError when the offset is no multiple of 100, or out of range.
        """
        if offset == 0:
            return cls()
        if offset % BLOCK or not BLOCK <= offset <= LAST_OFFSET:
            raise LocalError(f"--port-offset {offset} will not do; give a multiple of {BLOCK} between {BLOCK} and {LAST_OFFSET}.")
        start = FIRST_BLOCK + offset
        return cls(
            notifier=start,
            ingest=start + 1,
            ingest_ops=start + 2,
            notifier_ops=start + 3,
            kafka=start + 4,
            kafka_controller=start + 5,
            postgres=start + 6,
            s3=start + 7,
            processor_ops=start + 10,
        )

    def of_infrastructure(self) -> list[tuple[int, str]]:
        return [
            (self.kafka, "kafka"),
            (self.kafka_controller, "kafka (controller)"),
            (self.postgres, "postgres"),
            (self.s3, "s3"),
        ]

    def of_services(self, processors: int) -> list[tuple[int, str]]:
        return [
            (self.ingest, "ingest"),
            (self.notifier, "notifier"),
            (self.ingest_ops, "ingest (ops)"),
            (self.notifier_ops, "notifier (ops)"),
            *((self.processor_ops + n, f"processor-{n + 1} (ops)") for n in range(processors)),
        ]


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


async def require_free(needed: Sequence[tuple[int, str]], within: float = PATIENCE_S) -> None:
    """Waits until all ports are free. Raises PortTaken after `within` seconds, with every port in use and the part that needs
    it.
    """
    deadline = time.monotonic() + within
    while taken := [(port, name) for port, name in needed if not is_free(port)]:
        if time.monotonic() > deadline:
            raise PortTaken(taken)
        await asyncio.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Returns different ports that are free just now. None is in the range of outgoing connections, where another process may
    get the port before it is used.
    """
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(*LASTING)  # noqa: S311 -- no secret
        if is_free(port):
            found.add(port)
    return list(found)
