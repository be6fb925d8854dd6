"""A real Prometheus that scrapes a test's services each second and evaluates the rules."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.deploy.monitoring import RULES, alerts
from tests.integration.stack import Quire

from quire_local.child import Child
from quire_local.ports import free_ports

PATIENCE_SECONDS = 120.0
EXPRESSIONS: Mapping[str, str] = {alert.name: alert.expr for alert in alerts()}


class Prometheus:
    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url, self._http = url, http

    async def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that it finds now."""
        answer = await self._http.get(f"{self._url}/api/v1/query", params={"query": expr})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    async def scrapes(self, targets: int, log: Path) -> None:
        """Returns once it has seen so many targets: what has happened until then is no change to it."""
        for _ in range(300):
            with suppress(httpx.TransportError, AssertionError):
                if len(await self.query("up == 1")) == targets:
                    return
            await asyncio.sleep(0.1)
        raise AssertionError(log.read_text("utf-8")[-2_000:])

    async def true(self, *names: str, **labels: str) -> None:
        """Returns once the expressions of these alerts are all true, the same series having these labels."""
        await self._until(dict.fromkeys(names, True), labels)

    async def false(self, *names: str) -> None:
        """Returns once the expressions of these alerts are all false."""
        await self._until(dict.fromkeys(names, False), {})

    async def firing(self) -> set[str]:
        """The alerts that have held for long enough."""
        return {one["metric"]["alertname"] for one in await self.query('ALERTS{alertstate="firing"}')}

    async def _until(self, wanted: Mapping[str, bool], labels: Mapping[str, str]) -> None:
        found: dict[str, list[dict[str, Any]]] = {}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    found = {name: matching(await self.query(EXPRESSIONS[name]), labels) for name in wanted}
                    if all(bool(found[name]) is is_so for name, is_so in wanted.items()):
                        return
                    await asyncio.sleep(0.5)
        except TimeoutError:
            wrong = {name: found[name] for name, is_so in wanted.items() if bool(found[name]) is not is_so}
            raise AssertionError(f"after {PATIENCE_SECONDS:.0f} s: {wrong}") from None


def matching(found: list[dict[str, Any]], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [one for one in found if labels.items() <= one["metric"].items()]


@asynccontextmanager
async def watching(quire: Quire, directory: Path) -> AsyncIterator[Prometheus]:
    """Until the end of the block. Skips the test where there is no Prometheus."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not there, so nothing was asked of it (Debian: apt install prometheus)")
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(quire)), "utf-8")
    [port] = free_ports(1)
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={directory}", f"--web.listen-address=127.0.0.1:{port}"]
    child = Child("prometheus", command, directory / "prometheus.log", {})
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        await child.start()
        try:
            prometheus = Prometheus(url, http)
            await prometheus.scrapes(len(quire.parts), directory / "prometheus.log")
            yield prometheus
        finally:
            await child.stop()


def configuration(quire: Quire) -> dict[str, Any]:
    """As docs/operate.md has it, only faster."""
    jobs: dict[str, list[str]] = {}
    for part in quire.parts:
        jobs.setdefault(f"quire-{part.name.partition('-')[0]}", []).append(f"127.0.0.1:{part.ops_port}")
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": targets}]} for job, targets in jobs.items()],
    }
