"""A Kubernetes cluster that is reachable by kubectl and helm, and one release of the chart in a namespace of its own.

What a test asks of the services it asks at their addresses inside the cluster: it has to run where those are reachable.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from quire_schemas.events import TYPES, Event, event_of

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "quire"
IMAGES = tuple(f"quire-{name}" for name in ("ingest", "processor", "notifier", "cli"))
SERVERS = ("apache/kafka", "postgres", "chrislusf/seaweedfs")
ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}


def run(*command: str, text: str | None = None, check: bool = True, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=seconds)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done


@functools.cache
def missing() -> str | None:
    """Why nothing can be tried here, or None."""
    for tool in ("kubectl", "helm"):
        if shutil.which(tool) is None:
            return f"{tool} is not on PATH"
    try:
        nodes = run("kubectl", "get", "nodes", "-o", "json", check=False, seconds=15)
    except subprocess.TimeoutExpired:
        return "no cluster answers kubectl"
    if nodes.returncode:
        return f"no cluster answers kubectl ({nodes.stderr.strip().splitlines()[-1]})"
    for name, images in images_of(json.loads(nodes.stdout)["items"]).items():
        if lacking := [image for image in (*IMAGES, *SERVERS) if not re.search(rf"(^|[ /]){re.escape(image)}[:@]", images)]:
            return f"the node {name} lacks the images {', '.join(lacking)}: load them"
    return None


def images_of(nodes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What each node has, in one string."""
    return {
        node["metadata"]["name"]: " ".join(name for one in node["status"]["images"] for name in one["names"] or ())
        for node in nodes
    }


@functools.cache
def has_images(tag: str) -> bool:
    """Of all our services, on every node. A node tells 50 of its images unless its kubelet is told to tell more."""
    nodes = json.loads(run("kubectl", "get", "nodes", "-o", "json").stdout)["items"]
    return all(f"{image}:{tag}" in images for images in images_of(nodes).values() for image in IMAGES)


def has_crd(name: str) -> bool:
    return run("kubectl", "get", "crd", name, check=False).returncode == 0


def nodes() -> list[str]:
    found = run("kubectl", "get", "nodes", "-o", "json").stdout
    return sorted(node["metadata"]["name"] for node in json.loads(found)["items"])


@dataclass
class Release:
    """One installed chart; `values` are those it was installed or upgraded with last."""

    namespace: str
    name: str = "quire"
    values: list[str] = field(default_factory=list)

    # Commands.

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        return run("kubectl", "-n", self.namespace, *arguments, text=text, check=check).stdout

    def helm(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run("helm", "-n", self.namespace, *arguments, check=check, seconds=600)

    def install(self, values: Mapping[str, str]) -> None:
        run("kubectl", "create", "namespace", self.namespace)
        run("kubectl", "label", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=restricted")
        self.values = [item for name, value in values.items() for item in ("--set", f"{name}={value}")]
        self.helm("install", self.name, str(CHART), *self.values)

    def upgrade(self, values: Mapping[str, str], *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        added = [item for name, value in values.items() for item in ("--set", f"{name}={value}")]
        return self.helm("upgrade", self.name, str(CHART), *self.values, *added, *arguments, check=check)

    def remove(self) -> None:
        run("kubectl", "delete", "namespace", self.namespace, "--wait=false", check=False)

    # What is there.

    def get(self, kind: str, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, *arguments, "-o", "json"))
        return found

    def pods(self, component: str) -> list[dict[str, Any]]:
        """Those that are not on their way out."""
        found = self.get("pods", "-l", f"app.kubernetes.io/component={component}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, component: str) -> int:
        """Pods of it that are ready."""
        return sum(is_ready(pod) for pod in self.pods(component))

    def address(self, service: str, port: int) -> str:
        return f"http://{self.get('service', f'{self.name}-{service}')['spec']['clusterIP']}:{port}"

    def logs(self, pod: str, *arguments: str) -> str:
        return self.kubectl("logs", pod, *arguments, check=False)

    def rolled_out(self, component: str, seconds: int = 180) -> None:
        self.kubectl("rollout", "status", f"deployment/{self.name}-{component}", f"--timeout={seconds}s")

    def log(self) -> list[tuple[int, Event]]:
        """Every event with its offset, those of a batch in order."""
        told = self.kubectl(
            "exec", f"deployment/{self.name}-notifier", "--", "python", "-m", "quire_notifier", "events", "--json"
        )
        records = sorted((json.loads(line) for line in told.splitlines()), key=lambda one: (one["partition"], one["offset"]))
        return [(record["offset"], _event(record)) for record in records if "type" in record]


def _event(record: dict[str, Any]) -> Event:
    fields = {name: record[name] for name in ("id", "batch_id", "collection_id", "source")}
    data = msgspec.convert(record["data"], TYPES[record["type"]], strict=False)
    return event_of(data, time=datetime.fromisoformat(record["time"]), **fields)


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions: Sequence[Mapping[str, Any]] = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


class People:
    """What users do at a release, over HTTP."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.ingest, self.notifier = release.address("ingest", 8001), release.address("notifier", 8000)
        self.http = httpx.AsyncClient(timeout=120, trust_env=False)
        self.failed_requests: list[str] = []

    async def submit(self, files: Sequence[tuple[str, bytes]], collection: str, key: str, seconds: float = 120) -> list[str]:
        """The ids of its batches. Sent again with the same key where the connection broke or the answer was 503."""
        parts = [("files", (name, content, "application/pdf")) for name, content in files]
        url, until = f"{self.ingest}/api/documents/process", time.monotonic() + seconds
        while True:
            try:
                answer = await self.http.post(
                    url, params={"collection_id": collection}, files=parts, headers={"Idempotency-Key": key}
                )
                if answer.status_code == 202:
                    return [batch["batch_id"] for batch in answer.json()["batches"]]
                if answer.status_code != 503:
                    self.failed_requests.append(answer.text)
            except httpx.TransportError as error:
                if time.monotonic() > until:
                    raise AssertionError(f"not accepted within {seconds:.0f} s: {error!r}") from error
            if time.monotonic() > until:
                raise AssertionError(f"not accepted within {seconds:.0f} s")
            await asyncio.sleep(0.2)

    async def get(self, path: str) -> Any:
        """Asked again where the connection broke; every other answer than 200 counts as failed."""
        while True:
            try:
                answer = await self.http.get(f"{self.notifier}{path}")
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if answer.status_code == 200:
                return answer.json()
            if answer.status_code != 404:
                self.failed_requests.append(f"{path}: {answer.status_code} {answer.text}")
            await asyncio.sleep(0.2)

    async def ended(self, batch_id: str, seconds: float = 300) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while (batch := await self.get(f"/api/batches/{batch_id}"))["status"] not in ENDED:
                await asyncio.sleep(0.3)
        assert batch["total"] == batch["processed"] + batch["failed"] + batch["cancelled"]
        found: dict[str, Any] = batch
        return found


@asynccontextmanager
async def people_of(release: Release) -> AsyncIterator[People]:
    people = People(release)
    async with people.http:
        yield people
