"""compose.yaml on a real Docker engine, from nothing to a restored backup: what docs/deploy.md promises, with its own commands.

The tests build on each other, in the order of the file. They take a project name and a port of their own.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jwt
import pytest
from tests.deploy.dockerfiles import COMPOSE, IMAGES, JWT, ROOT
from tests.deploy.engine import docker, foreign_images_missing, run
from tests.samples_pdf import simple_pdf, slow_pdf

from quire_client import subscribe

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

PROJECT = "quire-test-deploy"
SECRETS = COMPOSE.parent / "compose" / "secrets"
BACKUP = ROOT / "backup"


class Composed:
    """The project under test."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.env = {"COMPOSE_FILE": str(COMPOSE), "COMPOSE_PROJECT_NAME": PROJECT, "QUIRE_PORT": str(port)}

    def compose(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        done = run("docker", "compose", *arguments, env={**self.env, **(env or {})})
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def documented(self, heading: str, number: int = 0, env: Mapping[str, str] | None = None) -> str:
        """What the commands print that docs/deploy.md gives under a heading; the test fails where one of them does."""
        section = (ROOT / "docs" / "deploy.md").read_text("utf-8").partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
        commands = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[number]
        here = re.sub(r"^git pull\n", "", commands, flags=re.MULTILINE)
        done = run("bash", "-euc", here, env={**self.env, **(env or {})})
        assert done.returncode in (0, 1) if "submit" in here else done.returncode == 0, done.stdout + done.stderr + self.logs()
        return done.stdout

    def parts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]

    def logs(self, *services: str) -> str:
        done = run("docker", "compose", "logs", "--tail", "10", *services, env=self.env)
        return done.stdout

    async def submitted(self, files: Mapping[str, bytes], collection: str) -> list[str]:
        """Ids of batches, by way of the one origin."""
        parts = [("files", (name, data, "application/pdf")) for name, data in files.items()]
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            query = {"collection_id": collection}
            answer = await client.post(
                "/api/documents/process", params=query, files=parts, headers={"Idempotency-Key": collection}
            )
        assert answer.status_code == 202, answer.text
        return [batch["batch_id"] for batch in answer.json()["batches"]]

    async def ended(self, batches: list[str], headers: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The batches, once each of them has ended."""
        async with httpx.AsyncClient(base_url=self.url, timeout=60, headers=headers) as client, asyncio.timeout(300):
            while True:
                answers = [await client.get(f"/api/batches/{batch}") for batch in batches]
                if all(answer.status_code != 404 for answer in answers):  # accepted, and not projected yet
                    found = [answer.raise_for_status().json() for answer in answers]
                    if all(batch["ended_at"] for batch in found):
                        return found
                await asyncio.sleep(0.5)


@pytest.fixture(scope="module")
def quire(built: str) -> Iterator[Composed]:
    if missing := foreign_images_missing():
        pytest.skip(f"the engine has no {', '.join(missing)}: docker pull them, or tests/deploy/standins/build")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        quire = Composed(probe.getsockname()[1])
    had_secrets = SECRETS.exists()
    try:
        yield quire
    finally:
        run("docker", "compose", "--profile", "cli", "down", "--volumes", "--remove-orphans", env=quire.env)
        run("docker", "image", "rm", *(f"quire-{image}:{built}-next" for image in IMAGES))
        shutil.rmtree(BACKUP, ignore_errors=True)
        if not had_secrets:
            shutil.rmtree(SECRETS, ignore_errors=True)


def test_from_nothing_to_a_finished_batch(quire: Composed) -> None:
    said = quire.documented("From nothing to a finished batch")
    assert "25 of 27 files processed" in said
    states = {part["Service"]: part["Health"] or part["ExitCode"] for part in quire.parts()}
    assert {name: state for name, state in states.items() if state != "healthy"} == {
        "prepare-notifier": 0,
        "prepare-processor": 0,
    }


def test_the_samples_come_out_as_they_have_to_through_the_one_origin(quire: Composed) -> None:
    done = run(sys.executable, "samples/demo.py", "--url", quire.url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sandbox_of_the_workers_is_whole(quire: Composed) -> None:
    assert "confines less" not in quire.compose("logs", "processor")


async def test_the_one_origin_carries_pages_events_and_websockets(quire: Composed) -> None:
    async with httpx.AsyncClient(base_url=quire.url, timeout=20) as client:
        assert "<html" in (await client.get("/")).text
        assert (await client.get("/api/config")).json()["ingest_url"] == ""
        async with client.stream("GET", "/api/collections/default/events") as events:
            first = await anext(line async for line in events.aiter_lines() if line.startswith("data:"))
            assert '"SUBSCRIBED"' in first
    fallbacks = list[str]()
    feed = subscribe(quire.url, "samples", on_fallback=fallbacks.append)
    assert type(await anext(feed)).__name__ == "Subscribed"
    await feed.aclose()
    assert fallbacks == []


async def test_only_names_of_this_machine_are_answered_to(quire: Composed) -> None:
    async with httpx.AsyncClient(base_url=quire.url) as client:
        for method in ("GET", "POST"):
            answer = await client.request(method, "/api/batches", headers={"Host": "attacker.example"})
            assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")


async def test_an_upload_above_the_limits_is_refused(quire: Composed) -> None:
    reader, writer = await asyncio.open_connection(*quire.url.removeprefix("http://").split(":"))
    head = f"POST /api/documents/process HTTP/1.1\r\nHost: localhost\r\nContent-Length: {18 * 1024**3}\r\n"
    writer.write(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())

    async def send() -> None:
        """On and on, as clients do: the proxy passes an early answer on only when it has read something again."""
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(bytes(64 * 1024))
                await writer.drain()
                await asyncio.sleep(0.01)

    sending = asyncio.create_task(send())
    try:
        assert b" 413 " in await asyncio.wait_for(reader.readline(), 30)
    finally:
        sending.cancel()
        writer.transport.abort()


async def test_services_have_no_way_out(quire: Composed) -> None:
    script = "import socket; socket.create_connection((ADDRESS, 53), 3)"
    gateway = "socket.gethostbyname('kafka'), 9092"
    inside = ("exec", "--no-TTY", "processor", "python", "-c")
    quire.compose(*inside, script.replace("(ADDRESS, 53)", f"({gateway})"))
    assert run("docker", "compose", *inside, script.replace("ADDRESS", "'192.0.2.1'"), env=quire.env).returncode != 0
    assert "default" not in quire.compose(
        *inside, "print(*[line.split()[1] == '00000000' and 'default' for line in open('/proc/net/route')])"
    )


async def test_a_batch_closes_exactly_through_the_death_of_one_processor_of_three(quire: Composed) -> None:
    quire.compose("up", "--wait", "--scale", "processor=3")
    files = {f"{number}.pdf": slow_pdf(str(number), 60) for number in range(60)}
    batches = await quire.submitted(files, "death")
    victim = quire.compose("ps", "--quiet", "processor").split()[0]
    docker("kill", victim)
    ended = await quire.ended(batches)
    assert [(batch["status"], batch["processed"]) for batch in ended] == [("completed", 25), ("completed", 25), ("completed", 10)]


async def test_an_upgrade_under_load_loses_no_request_and_no_file(quire: Composed, built: str) -> None:
    """The new version is the old one under another name: what is replaced, and how, is the same."""
    for image in IMAGES:
        docker("tag", f"quire-{image}:{built}", f"quire-{image}:{built}-next")
    answers: list[int] = []
    batches: list[str] = []
    over = asyncio.Event()

    async def load() -> None:
        number = 0
        while not over.is_set():
            number += 1
            batches.extend(
                await quire.submitted({f"{n}.pdf": simple_pdf(f"{number} {n}") for n in range(5)}, f"upgrade-{number}")
            )
            async with httpx.AsyncClient(base_url=quire.url, timeout=30) as client:
                answers.append((await client.get("/api/batches")).status_code)
            await asyncio.sleep(0.2)

    loading = asyncio.create_task(load())
    await asyncio.to_thread(quire.documented, "Upgrade", env={"QUIRE_VERSION": f"{built}-next"})
    over.set()
    await loading
    assert {part["Image"].partition(":")[2] for part in quire.parts() if part["Image"].startswith("quire-")} == {f"{built}-next"}
    assert set(answers) == {200}
    assert all(batch["status"] == "completed" for batch in await quire.ended(batches))
    quire.env["QUIRE_VERSION"] = f"{built}-next"


async def test_a_backup_brings_everything_back(quire: Composed) -> None:
    batches = await quire.submitted({"before.pdf": simple_pdf("before")}, "backup")
    before = await quire.ended(batches)
    quire.documented("Backup")
    assert sorted(path.name for path in BACKUP.iterdir()) == ["kafka.tgz", "postgres.tgz", "s3.tgz", "secrets"]
    await quire.ended(await quire.submitted({"after.pdf": simple_pdf("after")}, "lost"))
    quire.documented("Backup", 1)
    assert await quire.ended(batches) == before
    async with httpx.AsyncClient(base_url=quire.url) as client:
        assert (await client.get("/api/batches", params={"collection_id": "lost"})).json()["items"] == []
        file = before[0]["files"][0]["file_id"]
        assert "before 1" in (await client.get(f"/api/files/{file}/text")).text
    ended = await quire.ended(await quire.submitted({"anew.pdf": simple_pdf("anew")}, "backup-2"))
    assert ended[0]["status"] == "completed"


async def test_with_jwt_only_a_token_lets_in(quire: Composed) -> None:
    quire.documented("Others than this machine")
    quire.env["COMPOSE_FILE"] = os.pathsep.join(map(str, (COMPOSE, JWT)))
    claims = {"sub": "test", "scope": "quire:read quire:write", "collections": ["*"], "exp": 4_000_000_000}
    token = jwt.encode(claims, (SECRETS / "auth_secret").read_text(), "HS256")
    async with httpx.AsyncClient(base_url=quire.url) as client:
        assert (await client.get("/api/batches")).status_code == 401
        assert (await client.post("/api/documents/process", files={"f": ("a.pdf", simple_pdf())})).status_code == 401
        for host in ("localhost", "quire.example.org"):
            headers = {"Authorization": f"Bearer {token}", "Host": host}
            assert (await client.get("/api/batches", headers=headers)).status_code == 200
    done = run("docker", "compose", "run", "--rm", "--no-deps", "cli", "batches", env={**quire.env, "QUIRE_TOKEN": token})
    assert done.returncode == 0, done.stderr


def test_every_service_ends_cleanly_when_it_is_told_to(quire: Composed) -> None:
    quire.compose("stop")
    codes = {part["Service"]: part["ExitCode"] for part in quire.parts()}
    assert codes.pop("kafka") == 143, "java's own code for SIGTERM"
    assert codes.pop("s3") in {0, 137}, "SeaweedFS 4.48 does not always come to its end"
    assert set(codes.values()) == {0}
