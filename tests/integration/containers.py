"""Kafka, Postgres and S3 as containers, where a Docker engine runs and has the images already: nothing is pulled for a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from tests.integration.images import KAFKA, POSTGRES, S3, images
from tests.integration.stack import Stack

from quire_local.ports import free_ports
from quire_local.probe import http_get, kafka_answers
from quire_local.services import Backing

READY_WITHIN_S = 60
PASSWORD = "quire-tests"


class Contained:
    """One container on a fixed port of this machine, so that it comes back where it was."""

    def __init__(self, name: str, container: DockerContainer, is_ready: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        self.name, self._container, self._is_ready = name, container, is_ready
        self._made = False

    async def start(self) -> None:
        if self._made:
            await asyncio.to_thread(self._container.get_wrapped_container().start)
        else:
            await asyncio.to_thread(self._container.start)
            self._made = True

    async def wait_ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while not await self._is_ready():
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        await asyncio.to_thread(self._container.get_wrapped_container().stop)

    async def restart(self) -> None:
        await self.stop()
        await self.start()
        await self.wait_ready()

    async def remove(self) -> None:
        if self._made:
            await asyncio.to_thread(self._container.stop)

    def freeze(self) -> None:
        self._container.get_wrapped_container().pause()

    def thaw(self) -> None:
        self._container.get_wrapped_container().unpause()


def kafka(port: int) -> Contained:
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    return Contained("kafka", container(KAFKA, 9092, port, settings), lambda: kafka_answers(port))


def postgres(port: int) -> Contained:
    made = container(POSTGRES, 5432, port, {"POSTGRES_USER": "quire", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "postgres"})

    async def is_ready() -> bool:
        command = ["pg_isready", "--host=127.0.0.1", "--username=quire"]
        return (await asyncio.to_thread(made.exec, command)).exit_code == 0

    return Contained("postgres", made, is_ready)


def s3(port: int) -> Contained:
    """Many small volumes, as each bucket of a test takes seven; at a stop it need not wait for clients of a cluster."""
    options = "-volume.max=10000 -master.volumeSizeLimitMB=64 -volume.preStopSeconds=1 -master.telemetry=false"
    keys = {"AWS_ACCESS_KEY_ID": "quire", "AWS_SECRET_ACCESS_KEY": PASSWORD}
    made = container(S3, 8333, port, keys).with_command(
        f"server -s3 -ip=127.0.0.1 -ip.bind=127.0.0.1 -s3.ip.bind=0.0.0.0 {options}"
    )

    async def is_ready() -> bool:
        return await http_get(port, "/healthz") is not None

    return Contained("s3", made, is_ready)


def container(repository: str, inner: int, outer: int, environment: dict[str, str]) -> DockerContainer:
    made = DockerContainer(images()[repository]).with_bind_ports(inner, outer)
    for name, value in environment.items():
        made = made.with_env(name, value)
    return made


@contextlib.asynccontextmanager
async def contained(logs: Path) -> AsyncIterator[Stack]:
    testcontainers_config.ryuk_disabled = True  # its image would be pulled; we remove our containers ourselves
    kafka_port, postgres_port, s3_port = free_ports(3)
    backing = Backing(
        kafka=f"127.0.0.1:{kafka_port}",
        postgres=f"postgresql://quire:{PASSWORD}@127.0.0.1:{postgres_port}/postgres",
        s3_endpoint=f"http://127.0.0.1:{s3_port}",
        s3_access_key="quire",
        s3_secret_key=PASSWORD,
    )
    parts = [kafka(kafka_port), postgres(postgres_port), s3(s3_port)]
    try:
        for part in parts:
            await part.start()
        for part in parts:
            await part.wait_ready()
        yield Stack("testcontainers", parts[0], parts[1], parts[2], backing, logs)
    finally:
        for part in parts:
            await part.remove()
