"""Commands that the services' own programs carry out: `check-config`, `rebuild`, `events`, `sweep`."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from quire_cli import options
from quire_cli.console import json_line, say, warn
from quire_cli.errors import INTERRUPTED, CliError
from quire_cli.target import DATA, read_stack
from quire_schemas.setting_names import unknown_settings

SERVICES = ("ingest", "processor", "notifier")

Data = Annotated[Path, typer.Option(help="Data directory of the `quire up` that is meant, where the environment names none.")]


def check_config(
    service: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SERVICE…", help=f"Of {', '.join(SERVICES)}; all by default.", autocompletion=lambda: list(SERVICES)
        ),
    ] = None,
    *,
    connect: Annotated[bool, typer.Option("--connect", help="Try Kafka, Postgres and S3, too, as a start would.")] = False,
    as_json: options.Json = False,
) -> None:
    """Print every setting of the installed services, as this environment gives it; exit code 2 when something is wrong."""
    chosen = [name for name in service or SERVICES if is_installed(name)]
    if unknown := sorted(set(service or ()) - set(chosen)):
        raise CliError(
            f"{', '.join(unknown)}: not installed here. There is: {', '.join(filter(is_installed, SERVICES)) or 'no service'}."
        )
    if not chosen:
        raise CliError("No service of Quire is installed here: pip install quire-ingest, quire-processor or quire-notifier.")
    further = [*given("--connect", connect), *given("--json", as_json)]
    checked = [check(name, "--any-names", *further) for name in chosen]
    if not service:
        tell_unknown("".join(text for _, text in checked))
    raise typer.Exit(max(code for code, _ in checked))


def tell_unknown(known: str) -> None:
    """Warns of environment variables that begin with QUIRE_ and are neither in the text `known` nor read by this command."""
    for sentence in unknown_settings(os.environ, set(re.findall(r"QUIRE_[A-Z0-9_]+", known))):
        warn(sentence)


def rebuild(
    *,
    force: Annotated[bool, typer.Option("--force", help="Switch although batches would be lost.")] = False,
    data: Data = DATA,
    as_json: options.Json = False,
) -> None:
    """Fold the whole log again into the notifier's tables, and switch to them when they are whole."""
    raise typer.Exit(delegate(data, "notifier", "rebuild", *given("--force", force), *given("--json", as_json)))


def events(
    *,
    invalid: Annotated[
        bool, typer.Option("--invalid", help="Only records that could not be decoded or do not belong there.")
    ] = False,
    batch: Annotated[str | None, typer.Option("--batch", metavar="ID", help="Only of this batch; by its whole id.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is appended, until Ctrl-C.")] = False,
    data: Data = DATA,
    as_json: options.Json = False,
) -> None:
    """Print the log's events."""
    only = () if batch is None else ("--batch", batch)
    flags = [*given("--invalid", invalid), *given("--follow", follow), *given("--json", as_json)]
    raise typer.Exit(delegate(data, "notifier", "events", *only, *flags))


def sweep(
    *,
    older_than: Annotated[float, typer.Option(min=0, help="Leave objects alone that are younger, in seconds.")] = 86_400,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Objects of any age.")] = False,
    partial_log: Annotated[
        bool, typer.Option("--partial-log", help="Although the log is not whole: remove all that it does not name.")
    ] = False,
    data: Data = DATA,
    as_json: options.Json = False,
) -> None:
    """Remove what is in the object store and no event names."""
    flags = {"--dry-run": dry_run, "--force": force, "--partial-log": partial_log, "--json": as_json}
    further = [name for name, yes in flags.items() if yes]
    raise typer.Exit(delegate(data, "ingest", "sweep", "--older-than", f"{older_than:.0f}", *further))


def given(name: str, yes: bool) -> Sequence[str]:  # noqa: FBT001 -- a flag of a command line
    return [name] if yes else []


def is_installed(service: str) -> bool:
    return service in SERVICES and importlib.util.find_spec(f"quire_{service}") is not None


def check(service: str, *further: str) -> tuple[int, str]:
    """Prints the output of the service's own check-config, as one line if it is JSON; returns its exit code and output."""
    command = [sys.executable, "-m", f"quire_{service}", "check-config", *further]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 -- our own program
    if "--json" in further and done.stdout:
        json_line({"service": service, **msgspec.json.decode(done.stdout, type=dict[str, Any])})
    else:
        say(f"# {service}")
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
    for problem in done.stderr.splitlines():
        warn(problem)
    return done.returncode, done.stdout


def delegate(data: Path, service: str, *arguments: str) -> int:
    """Runs a command of the service and returns its exit code. The stack that runs on `data` completes the environment.

    Raises CliError when the service is not installed, or when neither a stack nor the environment names Kafka.
    """
    if not is_installed(service):
        there = f"python -m quire_{service} {arguments[0]}"
        raise CliError(
            f"This needs the {service}, which is not installed here. Run `{there}` where it is, or pip install quire-{service}."
        )
    stack = read_stack(data)
    if stack is None and "QUIRE_KAFKA_BOOTSTRAP" not in os.environ:
        raise CliError(
            f"No stack runs on {data}: start one with `quire up`, name its directory with --data,"
            " or say in QUIRE_… variables where Kafka, Postgres and S3 are (`quire check-config` lists them)."
        )
    environment = {**(stack.environment if stack else {}), **os.environ}
    command = [sys.executable, "-m", f"quire_{service}", *arguments]
    try:
        return subprocess.run(command, check=False, env=environment).returncode  # noqa: S603 -- our own program
    except KeyboardInterrupt:
        return INTERRUPTED
