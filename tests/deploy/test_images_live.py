"""The images, on a real Docker engine: built, looked into, and run as compose.yaml and the chart run them."""

import hashlib
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from tests.deploy.dockerfiles import DEEDS, DOCKERFILE, IMAGES, ROOT, SERVICES
from tests.deploy.engine import CONFINED, docker, run

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

BASE = "python:3.11-slim"
BARS = {"ingest": 80e6, "notifier": 80e6, "processor": 130e6}
"""Bytes over the base."""
NOWHERE = (
    *("--env", "QUIRE_AUTH=none", "--env", "QUIRE_KAFKA_BOOTSTRAP=127.0.0.1:1"),
    *("--env", "QUIRE_S3_ENDPOINT=http://127.0.0.1:1", "--env", "QUIRE_POSTGRES_DSN=postgresql://a:b@127.0.0.1:1/c"),
)
"""Settings by which a service waits for its stores for ever."""
SURVEY = """
import importlib.util, json, os, pathlib, shutil, sys
site = pathlib.Path(next(path for path in sys.path if path.endswith("site-packages")))
names = [path.relative_to(site).with_suffix("").as_posix().replace("/", ".") for path in sorted(site.glob("quire_*/**/*.py"))]
modules = [path for path in sorted(site.rglob("*.so")) if path.name.count(".") > 1]
names += [path.relative_to(site).as_posix().split(".")[0].replace("/", ".") for path in modules]
names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
needless = {"quire_cli.up", "PIL._imagingtk", "PIL._tkinter_finder"}  # the embedded stack, a window
needless |= {"quire_processor.forkserver"}  # ends whoever is born with settings, as this process is
if importlib.util.find_spec("quire_client") is None:
    needless.add("quire_schemas.client")  # stands there for those who have the client too
for name in sorted(set(names) - needless):
    importlib.import_module(name)
writable = []
for directory, _, _ in os.walk("/"):
    if not directory.startswith(("/proc", "/dev", "/sys")) and os.access(directory, os.W_OK):
        writable.append(directory)
print(json.dumps({
    "ids": [os.getuid(), os.getgid()], "writable": writable, "imported": len(names), "path": sys.path,
    "tools": [tool for tool in ("pip", "pip3", "gcc", "cc", "make", "ld", "strip") if shutil.which(tool)],
    "installers": [name for name in ("pip", "ensurepip", "setuptools", "wheel") if importlib.util.find_spec(name)],
    "uncompiled": [str(path) for path in site.rglob("*.py") if not list(path.parent.glob(f"__pycache__/{path.stem}.*.pyc"))],
}))
"""
TRIALS = """
import asyncio, json, pathlib, sys
pathlib.Path("/scratch/deeds.py").write_text(sys.stdin.read())
sys.path.insert(0, "/scratch")
import deeds

free = asyncio.run(deeds.outcomes(deeds.DEEDS, deeds.free_main, pathlib.Path("/scratch/free")))
confined = asyncio.run(deeds.outcomes(deeds.DEEDS, deeds.confined_main, pathlib.Path("/scratch/confined")))
print(json.dumps([free, confined, open("/proc/self/status").read()]))
"""
REFUSED_BY_DOCKER = {
    "a ring of system calls",
    "namespaces of its own",
    "a mount",
    "memory by /dev/shm",
}  # of that, it gives 64 MiB


def inspect(image: str) -> Any:
    return json.loads(docker("image", "inspect", image))[0]


def inside(image: str, script: str, *options: str, text: str | None = None) -> Any:
    """What a Python script prints as JSON in a container."""
    command = ("run", "--interactive", *CONFINED, *options, "--entrypoint", "python", image, "-c", script)
    return json.loads(docker(*command, text=text))


def layers(image: str, archive: Path) -> list[list[tuple[object, ...]]]:
    """What each layer holds, by name: kind, mode, owner, time, target and content of every file.

    The digests of two equal layers can differ: where Docker's older image store holds the layer below twice, it writes files in
    another order.
    """
    docker("image", "save", "--output", str(archive), image)
    with tarfile.open(archive) as saved:
        manifest = json.loads(saved.extractfile("manifest.json").read())  # type: ignore[union-attr]
        return [sorted(entries(tarfile.open(fileobj=saved.extractfile(layer)))) for layer in manifest[0]["Layers"]]


def entries(layer: tarfile.TarFile) -> Iterator[tuple[object, ...]]:
    for entry in layer:
        content = layer.extractfile(entry) if entry.isfile() else None
        digest = hashlib.file_digest(content, "sha256").hexdigest() if content else ""
        yield entry.name, entry.type, entry.mode, entry.uid, entry.gid, entry.mtime, entry.linkname, digest


@pytest.mark.parametrize("image", IMAGES)
def test_the_same_sources_make_the_same_layers(built: str, image: str, tmp_path: Path) -> None:
    again = f"quire-again-{image}:{built}"
    docker("buildx", "build", "--no-cache", "--quiet", "--file", str(DOCKERFILE), "--target", image, "--tag", again, str(ROOT))
    try:
        assert layers(again, tmp_path / "again.tar") == layers(f"quire-{image}:{built}", tmp_path / "first.tar")
    finally:
        docker("image", "rm", again)


@pytest.mark.parametrize("image", BARS)
def test_an_image_is_small(built: str, image: str) -> None:
    over = inspect(f"quire-{image}:{built}")["Size"] - inspect(BASE)["Size"]
    assert over <= BARS[image]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_what_it_needs_and_nothing_to_build_with(built: str, image: str) -> None:
    found = inside(f"quire-{image}:{built}", SURVEY)
    assert found["ids"] == [10001, 10001]
    assert found["writable"] == (["/scratch"] if image in SERVICES else [])
    assert found["imported"] > 20
    assert (found["tools"], found["installers"], found["uncompiled"]) == ([], [], [])
    assert not {"/", "", "."} & set(found["path"]), "what is on Python's path, workers may read"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_what_it_is(built: str, image: str) -> None:
    labels = inspect(f"quire-{image}:{built}")["Config"]["Labels"]
    head = "org.opencontainers.image"
    assert labels[f"{head}.title"] == f"quire-{image}"
    assert labels[f"{head}.version"] == built
    assert {f"{head}.revision", f"{head}.created", f"{head}.licenses", f"{head}.description"} <= labels.keys()


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_in_an_image_is_listed(built: str, image: str) -> None:
    listed = json.loads((ROOT / "sbom" / f"{image}.cdx.json").read_text())
    assert listed["bomFormat"] == "CycloneDX"
    names = {component["name"]: component.get("purl", "") for component in listed["components"]}
    assert names["libc6"].startswith("pkg:deb/debian/libc6@")
    assert names["msgspec"].startswith("pkg:pypi/msgspec@")
    assert "quire-schemas" in names
    lines = (ROOT / "requirements" / f"{image}.txt").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert pinned <= {canonicalize_name(name) for name in names}


@pytest.mark.parametrize("image", SERVICES)
def test_bad_settings_end_a_service_at_once_and_say_what_to_do(built: str, image: str) -> None:
    done = run("docker", "run", *CONFINED, f"quire-{image}:{built}")
    assert done.returncode == 2
    assert "Set it to" in done.stderr or "Set QUIRE_AUTH" in done.stderr


@pytest.mark.parametrize("image", SERVICES)
def test_an_image_sets_nothing_that_its_service_does_not_know(built: str, image: str) -> None:
    done = run("docker", "run", *CONFINED, f"quire-{image}:{built}", "check-config")
    assert "no such setting" not in done.stderr
    assert "QUIRE_OPS_PORT" in done.stdout


@pytest.mark.parametrize("image", SERVICES)
def test_sigterm_is_heard_as_process_1_before_anything_answers(built: str, image: str) -> None:
    name = f"quire-stop-{image}"
    docker("run", "--detach", "--name", name, *CONFINED[1:], *NOWHERE, f"quire-{image}:{built}")
    try:
        until(lambda: "wait" in logs(name) or "away" in logs(name), lambda: logs(name))
        docker("stop", "--time", "20", name)
        assert json.loads(docker("inspect", name))[0]["State"]["ExitCode"] == 0, logs(name)
    finally:
        docker("rm", "--force", "--volumes", name)


def test_a_service_that_is_not_ready_is_not_healthy(built: str) -> None:
    name = "quire-unwell"
    docker(
        "run",
        "--detach",
        "--name",
        name,
        *CONFINED[1:],
        *NOWHERE,
        "--health-start-period",
        "1s",
        "--health-interval",
        "1s",
        f"quire-ingest:{built}",
    )
    try:
        until(lambda: health(name) == "unhealthy", lambda: logs(name))
    finally:
        docker("rm", "--force", "--volumes", name)


def test_the_sandbox_of_a_worker_holds_inside_of_the_container(built: str) -> None:
    """Landlock and seccomp, on top of Docker's default seccomp profile, no capabilities, no new privileges, a read-only root."""
    free, confined, status = inside(
        f"quire-processor:{built}", TRIALS, "--tmpfs", "/scratch:uid=10001,mode=0700", text=DEEDS.read_text()
    )
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert "Seccomp:\t2" in status, "Docker's own profile is in force"
    assert {name for name, (how, _) in free.items() if how != "done"} <= REFUSED_BY_DOCKER, free
    assert {name for name, (how, _) in confined.items() if how != "refused"} == set(), confined


def logs(name: str) -> str:
    done = run("docker", "logs", name)
    return done.stdout + done.stderr


def health(name: str) -> str:
    return str(json.loads(docker("inspect", name))[0]["State"]["Health"]["Status"])


def until(is_so: Callable[[], bool], why: Callable[[], str]) -> None:
    for _ in range(300):
        if is_so():
            return
        time.sleep(0.2)
    pytest.fail(why())
