"""Leaves consumer groups in the place of a service that has died (see `guardian`)."""

import asyncio
import os
from collections.abc import Mapping

from aiokafka.errors import KafkaError
from msgspec import Struct

from quire_runtime import aiokafka_private, logs
from quire_runtime.kafka import connection
from quire_runtime.logs import get_logger
from quire_runtime.settings import KafkaSettings, LogSettings, load

log = get_logger(__name__)


class _Settings(Struct, frozen=True):
    """The settings that every service with a consumer group has, as far as they are needed here."""

    kafka: KafkaSettings
    log: LogSettings = LogSettings()


def leave(service: str, members: Mapping[str, str]) -> None:
    """Leaves each group as its member. What fails is logged: Kafka notices the death by the session timeout."""
    settings = load(_Settings, os.environ)
    logs.setup(settings.log, service)
    asyncio.run(_leave(settings.kafka, members))


async def _leave(settings: KafkaSettings, members: Mapping[str, str]) -> None:
    for group, member in members.items():
        try:
            await aiokafka_private.leave_group(connection(settings, "quire-guardian"), group, member)
        except (KafkaError, OSError) as error:
            log.warning("a dead member stays in its group until the session timeout", group=group, error=repr(error))
        else:
            log.warning("the service died, its partitions are given back", group=group, member=member)
