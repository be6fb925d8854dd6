"""The Dockerfile and the Compose file as values, so that tests can ask them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"
JWT = ROOT / "deploy" / "compose" / "jwt.yaml"
STANDINS = ROOT / "tests" / "deploy" / "standins"
DEEDS = ROOT / "tests" / "processor" / "deeds.py"
"""What a worker may not do; it is also run inside of the processor's image."""
SERVICES = ("ingest", "processor", "notifier")
IMAGES = (*SERVICES, "cli")


@dataclass
class Stage:
    """What a stage of a Dockerfile ends up with, its parents' instructions included."""

    base: str
    env: dict[str, str] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    last: dict[str, str] = field(default_factory=dict)
    """Instruction → the text of the last of its kind."""


def stages(dockerfile: Path) -> dict[str, Stage]:
    """Name of a stage → the stage, in the order of the file."""
    found: dict[str, Stage] = {}
    stage = Stage("")
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text("utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            parent = found.get(base, Stage(base))
            stage = found[name] = Stage(parent.base, dict(parent.env), set(parent.ports), dict(parent.last))
        elif word == "ENV":
            stage.env |= dict(re.findall(r"(\w+)=(\S+)", rest))
        elif word == "EXPOSE":
            stage.ports |= {int(port) for port in rest.split()}
        if word:
            stage.last[word] = rest.strip()
    return found


def compose(path: Path = COMPOSE, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file with `${NAME:-default}` filled in, as Compose does it."""
    given, text, more = environ or {}, path.read_text("utf-8"), 1
    while more:  # the inner ones first
        text, more = re.subn(r"\$\{(\w+):-([^${}]*)\}", lambda match: given.get(match[1], match[2]), text)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def seconds(text: str) -> float:
    """`40s` → 40."""
    return float(text.removesuffix("s"))
