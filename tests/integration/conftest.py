"""The fixture `stack`: one real Kafka, Postgres and S3 for the whole run. tests/integration/stack.py says what it can do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.integration.images import images
from tests.integration.stack import Stack

from quire_local import LocalStack, Ports
from quire_local.ports import free_ports


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    if images():
        from tests.integration.containers import contained  # noqa: PLC0415 - heavy, and rarely needed

        async with contained(directory / "logs") as stack:
            yield stack
        return
    kafka, controller, postgres, s3 = free_ports(4)
    ports = Ports(kafka=kafka, kafka_controller=controller, postgres=postgres, s3=s3)
    async with LocalStack.running(directory, ports) as local:
        yield Stack("embedded stack", local.kafka, local.postgres, local.s3, local.backing, directory / "logs")
