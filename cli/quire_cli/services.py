"""Commands that the services themselves carry out: `check-config`, `rebuild`, `events`, `sweep`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from quire_cli import options
from quire_cli.console import json_line, say, warn
from quire_cli.errors import CliError
from quire_cli.target import read_stack

SERVICES = ("ingest", "processor", "notifier")


def check_config(
    service: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE…]", help=f"Of {', '.join(SERVICES)}; all by default.")
    ] = None,
    *,
    as_json: options.Json = False,
) -> None:
    """Print every setting of the installed services, as this environment gives it, and what is wrong."""
    chosen = [name for name in service or SERVICES if is_installed(name)]
    if unknown := sorted(set(service or ()) - set(chosen)):
        raise CliError(
            f"{', '.join(unknown)}: not installed here. There is: {', '.join(filter(is_installed, SERVICES)) or 'no service'}"
        )
    if not chosen:
        raise CliError("No service of Quire is installed here: pip install quire-ingest, quire-processor or quire-notifier.")
    worst = 0
    for name in chosen:
        worst = max(worst, check(name, as_json=as_json))
    raise typer.Exit(worst)


def rebuild() -> None:
    """Fold the whole log again into the notifier's tables, and switch to them when they are whole."""
    raise typer.Exit(delegate("notifier", "rebuild"))


def events(
    *,
    invalid: Annotated[
        bool, typer.Option("--invalid", help="Only records that could not be decoded or do not belong there.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Print the log's events."""
    arguments = [name for name, given in (("--invalid", invalid), ("--json", as_json)) if given]
    raise typer.Exit(delegate("notifier", "events", *arguments))


def sweep(*, as_json: options.Json = False) -> None:
    """Remove what is in the object store and no event names."""
    raise typer.Exit(delegate("ingest", "sweep", *(["--json"] if as_json else [])))


def is_installed(service: str) -> bool:
    return service in SERVICES and importlib.util.find_spec(f"quire_{service}") is not None


def check(service: str, *, as_json: bool) -> int:
    """Exit code of the service's own check-config; its answer as one line where JSON is wanted."""
    command = [sys.executable, "-m", f"quire_{service}", "check-config"]
    if not as_json:
        say(f"# {service}")
        return subprocess.run(command, check=False).returncode  # noqa: S603 -- our own program
    done = subprocess.run([*command, "--json"], check=False, capture_output=True, text=True)  # noqa: S603 -- our own program
    try:
        json_line({"service": service, **msgspec.json.decode(done.stdout, type=dict[str, Any])})
    except msgspec.DecodeError:
        warn(done.stderr)
    return done.returncode


def delegate(service: str, *arguments: str) -> int:
    """Runs a command of the service with this environment, completed by the stack that runs in this directory."""
    if not is_installed(service):
        raise CliError(f"This needs the {service}, which is not installed here: pip install quire-{service}")
    stack = read_stack(Path())
    environment = {**(stack.environment if stack else {}), **os.environ}
    command = [sys.executable, "-m", f"quire_{service}", *arguments]
    try:
        return subprocess.run(command, check=False, env=environment).returncode  # noqa: S603 -- our own program
    except KeyboardInterrupt:
        return 130
