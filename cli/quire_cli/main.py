"""The `quire` command (DESIGN §6)."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable

import typer

from quire_cli import batches, commands, services, submit, watch
from quire_cli.console import warn
from quire_cli.errors import INTERRUPTED, USAGE, CliError

app = typer.Typer(
    name="quire",
    help="PDFs in, text and thumbnails out, and everyone sees live where each file stands.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

LIGHT: dict[str, tuple[Callable[..., None], str]] = {
    "submit": (
        submit.submit,
        "quire submit report.pdf · quire submit invoices/ -c invoices · find . -name '*.pdf' | quire submit -",
    ),
    "watch": (watch.watch, "quire watch -c invoices · quire watch --json | jq .type"),
    "batches": (batches.batches, "quire batches --status failed · quire batches --json | jq -r .batch_id"),
    "batch": (batches.batch, "quire batch 0190e3a4-…"),
    "cancel": (commands.cancel, "quire cancel 0190e3a4-… --reason 'wrong folder'"),
    "retry": (commands.retry, "quire retry 0190e3a4-… --file report.pdf"),
    "stuck": (batches.stuck, "quire stuck --older-than 120"),
    "check-config": (services.check_config, "quire check-config · quire check-config ingest --json"),
    "rebuild": (services.rebuild, "quire rebuild"),
    "events": (services.events, "quire events --invalid"),
    "sweep": (services.sweep, "quire sweep"),
}

for name, (command, example) in LIGHT.items():
    app.command(name, epilog=f"Example: {example}")(command)

if sys.argv[1:2] == [] or sys.argv[1] not in LIGHT:  # the embedded stack takes as long to import as all else together
    try:
        from quire_cli.up import up
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("quire_local"):
            raise
    else:
        app.command("up", epilog="Example: quire up --processors 2 --port-offset 100")(up)


def main() -> None:
    """Never a traceback for what the user can do something about."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except CliError as error:
        if str(error):
            warn(f"quire: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read has gone; Python would complain again when it flushes at its end
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(USAGE)
