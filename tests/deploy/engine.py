"""The Docker engine, by its command line; the tests that need it are marked `live`."""

import os
import re
import subprocess
from collections.abc import Mapping

import pytest
from tests.deploy.dockerfiles import COMPOSE, ROOT

CONFINED = ("--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
"""How a container is run as compose.yaml runs it; with no network, as it needs none here."""


def run(*command: str, env: Mapping[str, str] | None = None, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """The end of a command, given from the root of the repository."""
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, input=text, capture_output=True, text=True, check=False
    )


def docker(*arguments: str, text: str | None = None) -> str:
    """What `docker …` prints; the test fails with its errors where it does not end well."""
    done = run("docker", *arguments, text=text)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def why_not() -> str | None:
    """Why the live tests cannot run here, as a sentence; None where they can."""
    try:
        asked = run("docker", "version", "--format", "{{.Server.Version}}")
    except FileNotFoundError:
        return "there is no docker command"
    if asked.returncode:
        return f"no Docker engine answers at {os.environ.get('DOCKER_HOST', 'the default address')}"
    for plugin in ("buildx", "compose"):
        if run("docker", plugin, "version").returncode:
            return f"docker {plugin} is not installed"
    return None


def foreign_images_missing() -> list[str]:
    """Images of compose.yaml that are not ours and that the engine does not have."""
    named = set(re.findall(r"^ *image: ([\w./-]+:[\w.-]+)$", COMPOSE.read_text(), re.MULTILINE))
    return sorted(image for image in named if run("docker", "image", "inspect", image).returncode)


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips the test where no engine can be used."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def built(engine: None) -> str:
    """The version whose images the engine has, as `make images` builds them."""
    done = run("deploy/docker/build", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    return docker("run", "--rm", "quire-cli:0.1.0", "--version").split()[-1]
