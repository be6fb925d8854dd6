"""Writes requirements/<image>.txt: of the pins in all.txt, with their hashes, those that one image installs.

An image names its distributions; their pyproject.toml names dependencies, and the metadata of the installed packages names
theirs in turn. `make requirements` runs it, and tests/deploy holds its files in step.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
ROOT = HERE.parent
IMAGES: Mapping[str, tuple[str, ...]] = {
    "ingest": ("quire-ingest", "quire-runtime[otel]"),
    "processor": ("quire-processor", "quire-runtime[otel]"),
    "notifier": ("quire-notifier", "quire-runtime[otel]"),
    "cli": ("quire-cli",),
    "build": ("hatchling",),
}
"""Name of the file → what it is to hold, with all that this needs. `build` is what builds our own distributions."""
OURS: Mapping[str, Path] = {
    tomllib.loads(project.read_text("utf-8"))["project"]["name"]: project.parent
    for pattern in ("schemas", "services/*", "clients/python", "cli")
    for project in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))
}
TARGET = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
}
"""What markers are asked for: the oldest Python that an image may have, wherever this runs."""


def pins() -> dict[str, str]:
    """Name → its lines in all.txt, without the comments."""
    text = re.sub(r"^ *#.*\n", "", (HERE / "all.txt").read_text("utf-8"), flags=re.MULTILINE)
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    return {canonicalize_name(re.split(r"[=\s]", block)[0]): block for block in blocks if block}


def needs(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """What a distribution asks for on the target; raises PackageNotFoundError where it is not installed."""
    if name in OURS:
        project = tomllib.loads((OURS[name] / "pyproject.toml").read_text("utf-8"))["project"]
        listed = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    else:
        listed = requires(name) or []
    for requirement in map(Requirement, listed):
        environments = [TARGET | {"extra": extra} for extra in extras or {""}]
        if requirement.marker is None or any(requirement.marker.evaluate(environment) for environment in environments):
            yield requirement


def closure(roots: Iterable[str]) -> set[str]:
    """The names of all that these need, without our own distributions."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(root.name, frozenset(root.extras)) for root in map(Requirement, roots)]
    while waiting:
        item = waiting.pop()
        if item not in seen:
            seen.add(item)
            waiting += [(canonicalize_name(found.name), frozenset(found.extras)) for found in needs(*item)]
    return {name for name, _ in seen} - OURS.keys()


def share(image: str) -> str:
    """The text of the file; raises KeyError where all.txt has no pin for something."""
    found = pins()
    return f"# Made from all.txt by requirements/shares.py: what {', '.join(IMAGES[image])} needs.\n" + "".join(
        found[name] for name in sorted(closure(IMAGES[image]))
    )


if __name__ == "__main__":
    for image in IMAGES:
        (HERE / f"{image}.txt").write_text(share(image), "utf-8")
