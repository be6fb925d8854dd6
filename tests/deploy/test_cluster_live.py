"""The chart on a real cluster: installed, tried, its pods killed, its nodes drained, rolled, scaled and upgraded under load."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from tests.deploy.cluster import People, Release, has_crd, has_images, missing, nodes, people_of, run
from tests.folding import folded
from tests.samples_pdf import corrupt_pdf, simple_pdf, slow_pdf
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

pytestmark = [pytest.mark.live, pytest.mark.timeout(900), pytest.mark.skipif(missing() is not None, reason=str(missing()))]

SUBSCRIBERS = 200
KEDA = "scaledobjects.keda.sh"


def told(what: str) -> None:
    print(f"\n    {what}", flush=True)  # noqa: T201 -- figures for the report; pytest -s shows them as they come


def of_the_demo() -> dict[str, str]:
    """With all that holds data on the first node, so that the others can be drained."""
    return {
        "demo.enabled": "true",
        r"demo.nodeSelector.kubernetes\.io/hostname": nodes()[0],
        "networkPolicy.enabled": "true",
        "processor.resources.requests.cpu": "100m",
        "ingest.resources.requests.cpu": "50m",
        "notifier.resources.requests.cpu": "50m",
    }


@pytest.fixture(scope="module")
def release() -> Iterator[Release]:
    release = Release(f"quire-live-{uuid4().hex[:6]}")
    values = of_the_demo() | {
        "keda.enabled": str(has_crd(KEDA)).lower(),
        "keda.maxReplicas": "4",
        "keda.pollingSeconds": "5",
        "keda.scaleDownSeconds": "15",
        "keda.filesPerProcessor": "50",
    }
    began = time.monotonic()
    release.install(values)
    release.began = began  # type: ignore[attr-defined]
    try:
        yield release
    finally:
        release.remove()


@pytest.fixture(scope="module")
async def people(release: Release) -> AsyncIterator[People]:
    async with people_of(release) as people:
        yield people


async def until(what: Callable[[], bool], seconds: float, sentence: str) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    while not await asyncio.to_thread(what):
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:.0f} s: {sentence}")
        await asyncio.sleep(0.5)
    return time.monotonic() - began


def check_the_log(release: Release) -> None:
    """Every account closes, and no file was processed twice, whatever happened."""
    states, processed = folded(release.log())
    assert not [file for file, times in processed.items() if times > 1]
    assert all(state.terminal and state.all_settled for state in states.values())


class Watcher:
    """A subscriber as bare as can be: it comes back with its last seq, and counts what it is sent."""

    def __init__(self, people: People, collection: str) -> None:
        self._people, self._collection = people, collection
        self.seqs: list[int] = []
        self.reconnects = -1

    async def run(self) -> None:
        address = f"{self._people.notifier.replace('http', 'ws', 1)}/ws?collection_id={self._collection}&after="
        while True:
            with suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                async with connect(address + str(self.seqs[-1] if self.seqs else 0), proxy=None, compression=None) as socket:
                    self.reconnects += 1
                    async for frame in socket:
                        if "seq" in (message := json.loads(frame)) and message["type"] != "SUBSCRIBED":
                            self.seqs.append(message["seq"])
            await asyncio.sleep(0.2)


async def test_from_nothing_to_the_first_batch(release: Release, people: People) -> None:
    began: float = release.began  # type: ignore[attr-defined]
    [batch_id] = await people.submit([("first.pdf", simple_pdf("first"))], "first", "first", seconds=300)
    batch = await people.ended(batch_id)
    told(f"helm install to the first batch completed: {time.monotonic() - began:.1f} s")
    assert batch["status"] == "completed"


def test_helm_test_submits_pdfs_and_checks_them(release: Release) -> None:
    done = release.helm("test", release.name, "--logs", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_network_lets_nobody_pass_who_has_no_business(release: Release) -> None:
    """A pod of ours that is not in any flow reaches neither Postgres nor an ops port; the notifier, which is, does."""
    image = release.pods("notifier")[0]["spec"]["containers"][0]["image"]
    stranger = stranger_pod(image)
    release.kubectl("apply", "-f", "-", text=json.dumps(stranger))
    release.kubectl("wait", "pod/stranger", "--for=condition=Ready", "--timeout=60s")
    pod_ip = release.pods("notifier")[0]["status"]["podIP"]
    postgres = release.get("service", f"{release.name}-postgres")["spec"]["clusterIP"]
    try:
        if reaches(release, "pod/stranger", postgres, 5432):
            pytest.skip("this cluster stores network policies and does not enforce them")
        assert not reaches(release, "pod/stranger", pod_ip, 9101)
        assert reaches(release, f"deployment/{release.name}-notifier", postgres, 5432)
    finally:
        release.kubectl("delete", "pod", "stranger", "--force", "--grace-period=0")


def stranger_pod(image: str) -> dict[str, Any]:
    container = {
        "name": "stranger",
        "image": image,
        "command": ["python", "-c", "import time; time.sleep(3600)"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"securityContext": security, "automountServiceAccountToken": False, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"}, "spec": spec}


def reaches(release: Release, pod: str, host: str, port: int) -> bool:
    code = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    command = ["kubectl", "-n", release.namespace, "exec", pod, "--", "python", "-c", code]
    return run(*command, check=False).returncode == 0


async def test_sixty_pdfs_close_exactly_through_a_killed_pod_and_a_drained_node(release: Release, people: People) -> None:
    files = [(f"{number}.pdf", slow_pdf(f"{number}", 150)) for number in range(58)]
    files += [("damaged.pdf", corrupt_pdf(1)), ("last.pdf", simple_pdf("last"))]
    batches = await people.submit(files, "sixty", "sixty")
    assert len(batches) == 3
    async with asyncio.timeout(120):
        while sum([(await people.get(f"/api/batches/{batch_id}"))["processed"] for batch_id in batches]) < 5:
            await asyncio.sleep(0.2)
    victim = release.pods("processor")[0]["metadata"]["name"]
    release.kubectl("delete", "pod", victim, "--force", "--grace-period=0")
    drained = nodes()[-1]
    try:
        await asyncio.to_thread(
            run, "kubectl", "drain", drained, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s"
        )
        ended = [await people.ended(batch_id) for batch_id in batches]
    finally:
        run("kubectl", "uncordon", drained)
    assert (sum(one["processed"] for one in ended), sum(one["failed"] for one in ended)) == (59, 1)
    await asyncio.to_thread(check_the_log, release)


async def test_nobody_notices_a_rolling_restart(release: Release, people: People) -> None:
    """Every Deployment, one after the other, while people upload and 200 subscribers watch."""
    await lived_through(people, "rolled", lambda: roll(release))
    await asyncio.to_thread(check_the_log, release)


async def lived_through(people: People, name: str, what: Callable[[], None]) -> None:
    """While it happens, people upload to a collection that others watch: nobody is refused, misses anything or sees it twice."""
    watchers = [Watcher(people, name) for _ in range(SUBSCRIBERS)]
    watching = [asyncio.create_task(watcher.run()) for watcher in watchers]
    happening = asyncio.create_task(asyncio.to_thread(what))
    accepted: list[str] = []
    while not happening.done():
        files = [(f"{number}.pdf", simple_pdf(f"{number}")) for number in range(5)]
        accepted += await people.submit(files, name, f"{name}-{len(accepted)}")
        await asyncio.sleep(0.3)
    await happening
    for batch_id in accepted:
        assert (await people.ended(batch_id))["status"] == "completed"
    last = (await collection(people, name))["last_seq"]
    async with asyncio.timeout(60):
        while not all(watcher.seqs and watcher.seqs[-1] == last for watcher in watchers):
            await asyncio.sleep(0.2)
    for task in watching:
        task.cancel()
    told(f"{len(accepted)} batches and {last} messages, {sum(one.reconnects for one in watchers)} reconnects")
    assert people.failed_requests == []
    assert all(watcher.seqs == list(range(1, last + 1)) for watcher in watchers)


def roll(release: Release) -> None:
    for component in ("notifier", "ingest", "processor"):
        release.kubectl("rollout", "restart", f"deployment/{release.name}-{component}")
        release.rolled_out(component)


async def collection(people: People, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = (await people.get("/api/collections?limit=500"))["items"]
    return next(one for one in found if one["collection_id"] == name)


@pytest.mark.skipif(missing() is None and not has_crd(KEDA), reason="the cluster has no KEDA")
async def test_processors_come_with_work_and_go_without(release: Release, people: People) -> None:
    await until(lambda: len(release.pods("processor")) == 1, 240, "scaled down before the work")
    files = [(f"{number}.pdf", slow_pdf(f"{number}", 40)) for number in range(500)]
    batches = await people.submit(files, "many", "many", seconds=300)
    up = await until(lambda: len(release.pods("processor")) > 1, 90, "scaled up")
    told(f"scaled up {up:.1f} s after 500 PDFs were accepted")
    for batch_id in batches:
        assert (await people.ended(batch_id, seconds=600))["processed"] == 25
    down = await until(lambda: len(release.pods("processor")) == 1, 240, "scaled down again")
    told(f"scaled down {down:.1f} s after the work was done")
    await asyncio.to_thread(check_the_log, release)


async def test_settings_that_will_not_do_stop_a_rollout_with_one_clear_line(release: Release, people: People) -> None:
    before = {pod["metadata"]["name"] for pod in release.pods("notifier")}
    release.upgrade({"notifier.config.QUIRE_FEED_RETENTION": "soon"})

    def line() -> bool:
        new = [pod for pod in release.pods("notifier") if pod["metadata"]["name"] not in before]
        return any("QUIRE_FEED_RETENTION: 'soon' is no duration" in release.logs(pod["metadata"]["name"]) for pod in new)

    await until(line, 60, "the new pod says which setting is wrong")
    assert before <= {pod["metadata"]["name"] for pod in release.pods("notifier")}
    [batch_id] = await people.submit([("a.pdf", simple_pdf("a"))], "first", "while-stopped")
    assert (await people.ended(batch_id))["status"] == "completed"
    release.upgrade({})
    await asyncio.to_thread(release.rolled_out, "notifier")


@pytest.mark.skipif(
    missing() is None and not has_images("before"), reason="the nodes lack the images that tests/deploy/before makes"
)
async def test_an_upgrade_from_the_version_before(release: Release) -> None:
    """Whose fold is older: the new notifier builds its read model beside the old one's and takes over, while people work."""
    release.remove()
    upgraded = Release(f"quire-live-{uuid4().hex[:6]}")
    upgraded.install(of_the_demo() | {"image.tag": "before"})
    try:
        async with people_of(upgraded) as people:
            [old] = await people.submit([("old.pdf", simple_pdf("old"))], "old", "old", seconds=300)
            before, secrets = await people.ended(old), upgraded.get("secrets")["items"]
            await lived_through(people, "upgraded", lambda: upgrade(upgraded))
            assert standing(await people.ended(old)) == standing(before)
            assert passwords(upgraded.get("secrets")["items"]) == passwords(secrets)
            await asyncio.to_thread(check_the_log, upgraded)
    finally:
        upgraded.remove()


def standing(batch: Mapping[str, Any]) -> tuple[Any, ...]:
    """What both versions say of a batch that has ended."""
    files = [(file["file_id"], file["processing_status"], file["page_count"], file["sha256"]) for file in batch["files"]]
    return batch["status"], batch["processed"], batch["ended_at"], files


def upgrade(release: Release) -> None:
    release.upgrade({"image.tag": ""})
    for component in ("notifier", "ingest", "processor"):
        release.rolled_out(component)


def passwords(secrets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By the names of the Secrets; Helm's own records are others each time."""
    return {one["metadata"]["name"]: one["data"] for one in secrets if one["type"] == "Opaque"}
