"""Quire's services as processes of the local stack."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quire_local.child import Child
from quire_local.errors import WrongSettings
from quire_local.part import Part
from quire_local.ports import HOST, Ports
from quire_local.probe import http_get

READYZ_WITHIN_S = 3.0


@dataclass(frozen=True)
class Backing:
    """Addresses of Kafka, Postgres and S3, and the topic and bucket to use there."""

    kafka: str
    postgres: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    topic: str = "quire.batches"
    bucket: str = "quire"
    group_suffix: str = ""
    """End of the consumer groups' names, which tells apart several Quires on the same Kafka."""

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that tell the services these addresses."""
        return {
            "QUIRE_KAFKA_BOOTSTRAP": self.kafka,
            "QUIRE_KAFKA_TOPIC": self.topic,
            "QUIRE_POSTGRES_DSN": self.postgres,
            "QUIRE_S3_ENDPOINT": self.s3_endpoint,
            "QUIRE_S3_BUCKET": self.bucket,
            "QUIRE_S3_ACCESS_KEY": self.s3_access_key,
            "QUIRE_S3_SECRET_KEY": self.s3_secret_key,
        }


@dataclass(frozen=True)
class Addresses:
    """Addresses of the services."""

    ports: Ports

    @property
    def ingest(self) -> str:
        return f"http://{HOST}:{self.ports.ingest}"

    @property
    def notifier(self) -> str:
        return f"http://{HOST}:{self.ports.notifier}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "QUIRE_INGEST_URL": self.ingest,
            "QUIRE_NOTIFIER_URL": self.notifier,
            "QUIRE_ORIGINS": os.environ.get("QUIRE_ORIGINS", f"{self.notifier},http://localhost:{self.ports.notifier}"),
        }


def shared_secret() -> str | None:
    """Returns the shared secret with which the services check tokens; None if the environment has none."""
    file = os.environ.get("QUIRE_AUTH_SECRET_FILE")
    return Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get("QUIRE_AUTH_SECRET")


class Service(Part):
    """A service, run as `python -m quire_…`; it is ready when its /readyz says so."""

    def __init__(self, name: str, module: str, *, ops_port: int, environment: Mapping[str, str], logs: Path) -> None:
        super().__init__(name)
        self.ops_port = ops_port
        self._module, self._environment, self._logs, self._readyz = module, environment, logs, ""

    async def prepare(self) -> Child:
        return Child(self.name, [sys.executable, "-m", self._module], self._logs / f"{self.name}.log", self._inherited())

    async def checked(self) -> tuple[list[str], list[str]]:
        """Runs the service's `check-config`; returns the names of its settings, and what is wrong with their values."""
        command = (sys.executable, "-m", self._module, "check-config", "--json")
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL, env=self._inherited())
        said = json.loads((await process.communicate())[0])
        return [setting["env"] for setting in said["settings"]], said["problems"]

    def _inherited(self) -> dict[str, str]:
        return {**inherited(self._environment), **self._environment}

    async def is_ready(self) -> bool:
        status, self._readyz = await http_get(self.ops_port, "/readyz", READYZ_WITHIN_S) or (0, "no answer")
        return status == 200

    def why_not(self) -> str:
        return f" (its /readyz: {self._readyz.strip()})"


def services(
    backing: Backing, ports: Ports, *, processors: int, logs: Path, settings: Mapping[str, str] | None = None
) -> list[Service]:
    """Returns the services ingest, notifier, processor-1 … processor-N, not started yet. `settings` are further QUIRE_
    variables for all of them.
    """
    common = {
        "QUIRE_LOG_FORMAT": os.environ.get("QUIRE_LOG_FORMAT", "console"),
        "QUIRE_OPS_HOST": HOST,
        "QUIRE_HTTP_HOST": HOST,
        "QUIRE_HAND_OVER_SECONDS": "2",  # short, so that stopping everything does not take long
        **backing.environment,
        **Addresses(ports).environment,
        **(settings or {}),
    }

    def service(name: str, kind: str, ops_port: int, **further: str) -> Service:
        group = f"quire-{kind}{backing.group_suffix}"
        environment = {"QUIRE_GROUP": group, **common, "QUIRE_OPS_PORT": str(ops_port), **further}
        return Service(name, f"quire_{kind}", ops_port=ops_port, environment=environment, logs=logs)

    return [
        service("ingest", "ingest", ports.ingest_ops, QUIRE_HTTP_PORT=str(ports.ingest)),
        service("notifier", "notifier", ports.notifier_ops, QUIRE_HTTP_PORT=str(ports.notifier)),
        *(
            service(f"processor-{n}", "processor", ports.processor_ops + n - 1, QUIRE_WORKER_NAME=f"processor-{n}")
            for n in range(1, processors + 1)
        ),
    ]


async def check(ports: Ports) -> list[str]:
    """Returns the names of the settings that the services know. Raises WrongSettings when they refuse this environment. The
    addresses of the stack do not matter for that.
    """
    somewhere = Backing("127.0.0.1:1", "postgresql://quire@127.0.0.1/quire", "http://127.0.0.1:1", "quire", "quire")
    found = await asyncio.gather(*(one.checked() for one in services(somewhere, ports, processors=1, logs=Path())))
    if problems := [*dict.fromkeys(problem for _, wrong in found for problem in wrong)]:
        raise WrongSettings(problems)
    return [name for known, _ in found for name in known]


def inherited(ours: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of this process without the variables QUIRE_X_FILE that contradict a value QUIRE_X in `ours`."""
    return {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in ours or name in ours}
