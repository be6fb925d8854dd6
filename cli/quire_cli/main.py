"""The `quire` command (docs/design.md, "Contracts")."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from quire_cli import batches, cancel_retry, services, submit, taken, token, uploads, watch
from quire_cli.console import say, warn
from quire_cli.errors import INTERRUPTED, USAGE, CliError

EXIT_CODES = """\
Exit codes: 0 all is well · 1 a file failed, was rejected, cancelled or unreadable, or Quire said no \
· 2 wrong arguments, nothing to do, or nobody answers · 130 left by Ctrl-C; what was submitted goes on"""

app = typer.Typer(
    name="quire",
    help="PDFs in, text and thumbnails out, and everyone sees live where each file stands.",
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

LIGHT: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "submit": (
        submit.submit,
        (
            "quire submit report.pdf invoices/ 'scans/**/*.pdf'",
            "quire submit invoices/ -c invoices --policy all_or_nothing",
            "find . -name '*.pdf' -print0 | quire submit -",
            "quire submit --json invoices/ | jq 'select(.type == \"RESULT\")'",
        ),
    ),
    "watch": (watch.watch, ("quire watch", "quire watch -c invoices --json | jq .type")),
    "batches": (
        batches.batches,
        ("quire batches", "quire batches -c invoices --status failed", "quire batches --json | jq -r .batch_id"),
    ),
    "batch": (batches.batch, ("quire batch 0190e3a4", "quire batch 0190e3a4 --json | jq '.files[].processing_status'")),
    "requests": (
        uploads.requests,
        ("quire requests", "quire requests -c invoices --status failed", "quire requests --json | jq -r .request_id"),
    ),
    "get": (
        taken.get,
        (
            "quire get 3f2a91bc",
            "quire get 3f2a91bc -o texts/",
            "quire get 3f2a91bc --original -o march.zip",
            "quire get 3f2a91bc -o - | jq -r '.pages[].text'",
        ),
    ),
    "text": (taken.text, ("quire text report.pdf", "quire text 0190e3a4-0000-4000-8000-000000000001 | wc -w")),
    "search": (taken.search, ("quire search harbour office", "quire search '\"harbour office\" -draft' -c letters")),
    "wait": (uploads.wait, ("quire wait 3f2a91bc && quire get 3f2a91bc", "quire wait 3f2a91bc --timeout 600")),
    "open": (uploads.open_page, ("quire open 3f2a91bc",)),
    "cancel": (cancel_retry.cancel, ("quire cancel 0190e3a4 --reason 'wrong folder'",)),
    "retry": (
        cancel_retry.retry,
        ("quire retry 0190e3a4", "quire retry 0190e3a4 --file report.pdf", "quire retry 0190e3a4 --force"),
    ),
    "stuck": (batches.stuck, ("quire stuck", "quire stuck --older-than 120 --json")),
    "check-config": (
        services.check_config,
        ("quire check-config", "quire check-config --connect", "quire check-config ingest --json | jq .problems"),
    ),
    "rebuild": (services.rebuild, ("quire rebuild", "quire rebuild --data /var/lib/quire")),
    "events": (
        services.events,
        (
            "quire events",
            "quire events --batch 0190e3a4-0000-4000-8000-000000000001 -f",
            "quire events --invalid",
            "quire events --json | jq -r .type | sort | uniq -c",
        ),
    ),
    "token": (token.token, ("export QUIRE_TOKEN=$(quire token)", "quire token -c 'invoices-*' --scope read --expires-in 3600")),
    "sweep": (services.sweep, ("quire sweep --dry-run", "quire sweep --older-than 604800")),
}


def examples(*lines: str) -> str:
    """Returns the foot of a command's help: the example command lines, one a line."""
    return "\n\n".join(["Examples:", *(f"  [cyan]{line.replace('[', chr(92) + '[')}[/cyan]" for line in lines)])


for name, (command, lines) in LIGHT.items():
    app.command(name, epilog=examples(*lines))(command)

if sys.argv[1:2] == [] or sys.argv[1] not in LIGHT:  # the embedded stack takes as long to import as all else together
    try:
        from quire_cli.up import up
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("quire_local"):
            raise
    else:
        app.command("up", epilog=examples("quire up", "quire up --processors 2", "quire up --data second --port-offset 100"))(up)


def tell_version(wanted: bool) -> None:  # noqa: FBT001 -- typer passes it by position
    if wanted:
        say(f"quire {version('quire-cli')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def quire(
    context: typer.Context,
    *,
    _version: Annotated[bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        context.get_help()  # with rich, get_help prints the help itself
        raise typer.Exit(USAGE)


def main() -> None:
    """Runs the command. An error that the user can do something about is printed as a sentence, never as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        sys.exit(app(prog_name="quire", standalone_mode=False))
    except CliError as error:
        if str(error):
            warn(f"quire: {error}")
        sys.exit(error.exit_code)
    except usage_error() as error:
        warn(f"quire: {misused(error)}")
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def usage_error() -> type[typer.BadParameter]:
    """Returns the base class of all errors in a command line: click's UsageError, for which typer has no public name."""
    base: type[typer.BadParameter] = typer.BadParameter.__mro__[1]
    return base


def misused(error: typer.BadParameter) -> str:
    """Returns the error as a sentence, followed by the command that shows help."""
    sentence = error.format_message()
    path = error.ctx.command_path if error.ctx else "quire"
    return f"{sentence}{'' if sentence.endswith(('.', '?')) else '.'} `{path} --help` shows how it is used."
