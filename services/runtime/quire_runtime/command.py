"""The commands of `python -m quire_<service>`: serve, check-config, and the service's own commands."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
import uvloop

from quire_runtime.environment import names_of, render
from quire_runtime.errors import CannotServe
from quire_runtime.settings import SettingDescription, SettingsError, describe, load, values
from quire_schemas.setting_names import unknown_settings

S = TypeVar("S", bound=msgspec.Struct)
Serve = Callable[[S], Coroutine[Any, Any, None]]
Command = Callable[[S, Sequence[str]], Coroutine[Any, Any, int]]


class TriedConnection(NamedTuple):
    """The result of a trial connection to a server. `problem` keeps the service from serving; `notes` name what it can do
    without.
    """

    name: str
    problem: str | None
    notes: list[str]


Connect = Callable[[S], Coroutine[Any, Any, list[TriedConnection]]]

USAGE = 2
"""Exit code for invalid settings or arguments."""
INTERRUPTED = 130
"""Exit code of a command that was interrupted by Ctrl-C."""
READER_GONE = 141
"""Exit code of a command whose output is not read any more, as in `… | head`. Shells return it for SIGPIPE."""


def run(
    cls: type[S],
    serve: Serve[S],
    argv: Sequence[str],
    commands: Mapping[str, Command[S]] | None = None,
    connect: Connect[S] | None = None,
) -> int:
    """Runs the command in `argv` (without the program's name) and returns its exit code. No command means serve. `commands` get
    the rest of the arguments. `connect` tries the servers for `check-config --connect`.
    """
    return _piped(lambda: _ran(cls, serve, argv, commands or {}, connect))


def _piped(work: Callable[[], int]) -> int:
    try:
        return work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader is gone; Python would fail again when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE


def _ran(
    cls: type[S], serve: Serve[S], argv: Sequence[str], commands: Mapping[str, Command[S]], connect: Connect[S] | None
) -> int:
    name, rest = (argv[0], argv[1:]) if argv else ("serve", [])
    known = ["serve", "check-config", *commands]
    if name in {"-h", "--help", "help"}:
        print(f"Commands: {', '.join(known)}. Without one it serves. check-config lists every setting.")  # noqa: T201
        return 0
    if name == "check-config":
        return check_config(cls, rest, connect=connect)
    if name not in known:
        return _refuse([f"unknown command {name!r}. Use one of: {', '.join(known)}"])
    try:
        settings = load(cls, os.environ)
    except SettingsError as error:
        return _refuse(error.problems)
    return _completed(serve(settings) if name == "serve" else commands[name](settings, rest))


def _completed(work: Coroutine[Any, Any, int | None]) -> int:
    """Runs a coroutine and returns its exit code, which is 0 after a requested stop. Every CannotServe, however deep in
    exception groups, becomes a line on stderr.
    """
    code = USAGE
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            code = runner.run(work) or 0
        except* CannotServe as refusals:
            _refuse(list(dict.fromkeys(str(refusal) for refusal in _leaves(refusals))))
    return code


def _leaves(group: BaseExceptionGroup[CannotServe]) -> Iterator[CannotServe]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def check_alone(cls: type[S], argv: Sequence[str]) -> None:
    """Runs `check-config` and ends the process, if that is the command and no server is to be tried. Must be called before the
    modules that serve are imported, because importing them takes four times as long.
    """
    if argv[:1] == ["check-config"] and "--connect" not in argv:
        sys.exit(_piped(lambda: check_config(cls, argv[1:])))


def check_config(
    cls: type[S], argv: Sequence[str], environ: Mapping[str, str] = os.environ, connect: Connect[S] | None = None
) -> int:
    """Prints every variable with its value, default and meaning, with secrets redacted, and names variables that begin with
    QUIRE_ and are none of this service's (not with --any-names). With --connect, also tries the servers and prints the results.
    Returns exit code 2 when there is a problem.
    """
    known = {"--json", "--connect", "--any-names"}
    if set(argv) - known:
        return _refuse([f"unknown arguments {' '.join(argv)!r}. check-config takes {' and '.join(sorted(known))} only"])
    settings: S | None = None
    problems: list[str] = []
    try:
        settings = load(cls, environ)
    except SettingsError as error:
        problems = error.problems
    rows = _rows(cls, settings, environ)
    met = asyncio.run(connect(settings)) if connect is not None and settings is not None and "--connect" in argv else []
    problems += [one.problem for one in met if one.problem is not None]
    unknown = (
        None
        if "--any-names" in argv
        else unknown_settings(environ, {row["env"] for row in rows}, nobody="this service has no such setting")
    )
    if "--json" in argv:
        _print_json(rows, problems, unknown, met)
    else:
        _print_table(rows)
        _print_met(met)
        _tell(unknown or ())
    return _refuse(problems) if problems else 0


def _rows(cls: type[msgspec.Struct], settings: msgspec.Struct | None, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    in_force = values(settings) if settings is not None else {}
    return [
        {
            "env": item.env,
            "type": item.type,
            "value": in_force.get(item.env, _as_given(item, environ)),
            "set": any(environ.get(env) or environ.get(f"{env}_FILE") for env in names_of(item.env)),
            "default": item.default,
            "description": item.description,
            "secret": item.secret,
        }
        for item in describe(cls)
    ]


def _as_given(item: SettingDescription, environ: Mapping[str, str]) -> str | None:
    """Returns the value to show when not all settings are valid: the text in the environment, else the default."""
    text = next((environ[env] for env in names_of(item.env) if environ.get(env)), None)
    if text is None and not any(environ.get(f"{env}_FILE") for env in names_of(item.env)):
        return item.default
    return render(text, secret=item.secret) if text is not None else "?"


def _print_json(rows: list[dict[str, Any]], problems: list[str], unknown: list[str] | None, met: list[TriedConnection]) -> None:
    said = {"settings": rows, "problems": problems} | ({} if unknown is None else {"unknown": unknown})
    said |= {"connections": [one._asdict() for one in met]} if met else {}
    sys.stdout.write(json.dumps(said, ensure_ascii=False, indent=2) + "\n")


def _print_met(met: list[TriedConnection]) -> None:
    for one in met:
        sys.stdout.write(f"{one.name}: {'ok' if one.problem is None else 'no'}\n")
        sys.stdout.writelines(f"    {note}\n" for note in one.notes)


def _print_table(rows: list[dict[str, Any]]) -> None:
    width = max(len(row["env"]) for row in rows)
    for row in rows:
        value = row["value"] if row["value"] is not None else "?"
        origin = "set" if row["set"] else "default" if row["default"] is not None else "missing"
        sys.stdout.write(f"{row['env']:<{width}}  {value or '-'}  ({origin})\n{'':<{width}}    {row['description']}\n")


def _refuse(problems: Sequence[str]) -> int:
    _tell(problems)
    return USAGE


def _tell(lines: Sequence[str]) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
