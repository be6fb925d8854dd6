"""What Prometheus sees of running services: every ops port read and parsed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from tests.integration.client import PATIENCE_SECONDS, Client


class Sample(NamedTuple):
    service: str
    name: str
    kind: str
    labels: Mapping[str, str]
    value: float


async def scraped(client: Client) -> list[Sample]:
    """Every sample of every service, by the names that its part of the stack has."""
    samples = []
    for part in client.quire.parts:
        answer = await client.http.get(f"{client.quire.ops_url(part.name)}/metrics")
        assert answer.status_code == 200
        for family in text_string_to_metric_families(answer.text):
            samples += [Sample(part.name, one.name, family.type, one.labels, one.value) for one in family.samples]
    return samples


async def until(client: Client, what: Callable[[list[Sample]], object]) -> list[Sample]:
    """The samples, once `what` finds nothing wrong with them any more; fails the test with what it finds at last."""
    wrong: object = None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while wrong := what(samples := await scraped(client)):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"after {PATIENCE_SECONDS:.0f} s: {wrong}") from None
    return samples


def total(samples: list[Sample], name: str, **labels: str) -> float:
    """The sum over all services of the samples with these labels."""
    found = [one.value for one in samples if one.name == name and labels.items() <= one.labels.items()]
    assert found, f"nobody has {name} with {labels}"
    return math.fsum(found)
