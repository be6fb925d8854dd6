"""`quire get`, `quire text`, `quire search`: export and search of results."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from uuid import UUID
from zipfile import ZipFile

import httpx
import msgspec
import typer
from msgspec import Struct
from rich.text import Text

from quire_cli import options, words
from quire_cli.api import Api, BrokenOff, Unreachable, connect, refusal
from quire_cli.console import json_line, output, printable, say, warn
from quire_cli.errors import NOT_ALL, CliError
from quire_cli.ids import Meant, meant
from quire_cli.target import Target
from quire_cli.uploads import Uploads
from quire_schemas.views import FileView, Match

FORMATS = ("zip", "jsonl", "csv")
FILES_AT_ONCE = 150
"""Number of ids in one URL: a proxy in front of Quire may take no URL of more than 8 KB."""
AGAIN = 5
"""How often a transfer that broke off is resumed or begun again."""
HIT = "bold"


class _Line(Struct):
    """The field that is read of a complete line of an export."""

    cursor: str


def get(
    ids: Uploads,
    *,
    text: Annotated[bool, typer.Option("--text", help="The texts: a .txt for each file. The default.")] = False,
    original: Annotated[bool, typer.Option("--original", help="The files as they were uploaded.")] = False,
    report: Annotated[bool, typer.Option("--report", help="A line for each file, with all that is known of it.")] = False,
    into: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR|FILE|-",
            help="A directory to unpack into, a .zip, .jsonl or .csv file, or - for lines.",
        ),
    ] = None,
    url: options.Url = None,
) -> None:
    """Take out the results of uploads or batches, or of files by their whole ids."""
    if text + original + report > 1:
        raise CliError("Say one of --text, --original and --report; call it again for another.")
    kind = "original" if original else "report" if report else "text"

    async def ask(target: Target) -> None:
        async with connect(target) as api:
            exports = together([await meant(api, given, or_file=True) for given in ids])
            if into not in {None, "-"} and len(exports) > 1 and Path(into or "").suffix[1:] in FORMATS:
                raise CliError("Several uploads do not go into one file. Name a directory with -o.")
            for found in exports:
                await taken(api, found, kind, into)

    options.run(lambda: ask(options.here(url)))


def together(found: Sequence[Meant]) -> list[Meant]:
    """Joins files that are named one after the other into exports of at most FILES_AT_ONCE files."""
    joined: list[Meant] = []
    for kind, group in groupby(found, lambda each: each.kind):
        some = list(group)
        if kind != "file":
            joined += some
            continue
        for at in range(0, len(some), FILES_AT_ONCE):
            ids = [each.id for each in some[at : at + FILES_AT_ONCE]]
            joined.append(Meant("file", ",".join(ids), some[at].name if len(ids) == 1 else words.files(len(ids))))
    return joined


def text(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Id or name of a file; of several, the newest is meant.")],
    *,
    collection: options.OfCollection = None,
    url: options.Url = None,
) -> None:
    """Print the text of a file."""

    async def ask(target: Target) -> None:
        async with connect(target) as api:
            found = await the_file(api, file, collection)
            path = f"{target.notifier}/api/files/{found.file_id}/text"
            async with api.client.stream("GET", path, headers={"Accept": "text/plain"}) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise refusal(answer)
                async for piece in answer.aiter_text():
                    sys.stdout.write(piece)
        sys.stdout.write("\n")

    options.run(lambda: ask(options.here(url)))


def search(
    sought: Annotated[list[str], typer.Argument(metavar="WORDS…", help='Words; "some words" for a phrase, -word to leave out.')],
    *,
    collection: options.OfCollection = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Files at most, the newest first.")] = 20,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Find words in the texts of files; exit code 1 when there are none."""

    async def ask(target: Target) -> Any:
        async with connect(target) as api:
            return await api.search(" ".join(sought), limit=limit, collection_id=collection)

    page = options.run(lambda: ask(options.here(url)))
    for file in page.items:
        if as_json:
            json_line(file)
        else:
            show(file)
    if page.unindexed:
        warn(f"{words.files(page.unindexed)} cannot be searched yet: their texts are still being indexed.")
    if not page.items:
        warn("No text holds that.")
        raise typer.Exit(NOT_ALL)


def show(file: FileView) -> None:
    name = file.path or file.original_filename
    say(f"{words.short(file.file_id)} {name}")
    for match in file.matches or ():
        output().print(Text(f"  page {match.page}: ", style="dim") + snippet(match))


def snippet(match: Match) -> Text:
    """Returns the match's snippet with its hits marked, without characters that could steer a terminal."""
    parts, at = Text(), 0
    for start, end in match.hits:
        parts += Text(printable(match.snippet[at:start])) + Text(printable(match.snippet[start:end]), style=HIT)
        at = end
    return parts + Text(printable(match.snippet[at:]))


async def the_file(api: Api, given: str, collection: str | None) -> FileView:
    """Returns the file with the id `given`, else the newest of that name or whose id begins so.

    Raises CliError when there is no such file.
    """
    try:
        return await api.file(str(UUID(given)))
    except ValueError:
        found = await api.files(name=given, collection_id=collection)
    exact = [file for file in found if given in {file.original_filename, file.path}] or [
        file for file in found if file.file_id.startswith(given)
    ]
    if exact:
        return exact[0]
    others = ", ".join(file.original_filename for file in found[:5])
    raise CliError(f"There is no file {given!r}. {f'Is one of these meant: {others}?' if others else 'See `quire batch ID`.'}")


async def taken(api: Api, found: Meant, kind: str, into: str | None) -> None:
    """Writes one export to `into`: standard output for "-", a file by its suffix, or else a directory.

    A report goes into a file in that directory; None writes a file into the current directory.
    """
    params = {f"{found.kind}_id": found.id, "kind": kind}
    if into == "-":
        await lines(api, params | {"format": "zip" if kind == "original" else "jsonl"}, sys.stdout.buffer)
        return
    given = Path(into) if into is not None else None
    if given is not None and given.suffix[1:] in FORMATS and not given.is_dir():
        await whole(api, params | {"format": given.suffix[1:]}, given)
        say(f"{given}: {words.size(given.stat().st_size)}")
    elif kind == "report" or given is None:
        suffix = "csv" if kind == "report" else "zip"
        path = (given or Path()) / f"{safe(found.name)}.{kind}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        await whole(api, params | {"format": suffix}, path)
        say(f"{path}: {words.size(path.stat().st_size)}")
    else:
        with tempfile.TemporaryDirectory() as directory:
            archive = Path(directory) / "export.zip"
            await whole(api, params | {"format": "zip"}, archive)
            say(f"{given}: {words.files(unpacked(archive, given))}")


def unpacked(archive: Path, into: Path) -> int:
    """Unpacks the archive; returns the number of files. zipfile lets no file leave the directory."""
    with ZipFile(archive) as opened:
        opened.extractall(into)
        return len(opened.namelist())


def safe(name: str) -> str:
    """Returns the name with characters replaced that a filename cannot hold."""
    return "".join("_" if char in '/\\:*?"<>|' else char for char in printable(name)).strip(". ") or "quire"


async def whole(api: Api, params: dict[str, str], path: Path) -> None:
    """Downloads an export to `path`. Until it is complete, it is in a .part file in the same directory.

    Raises CliError when the export does not come whole or the file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            await lines(api, params, file)
        shutil.move(part, path)
    except OSError as error:
        raise CliError(f"{path}: {error.strerror or error}. Choose another place with -o.") from error
    finally:
        part.unlink(missing_ok=True)


async def lines(api: Api, params: dict[str, str], file: BinaryIO) -> None:
    """Downloads an export into `file`. A transfer that breaks off is resumed after its last complete line if the format is
    JSON lines, and begun again otherwise. Raises CliError when Quire refuses or no attempt is left.
    """
    for attempt in range(AGAIN + 1):
        begun = file.tell() if file.seekable() else 0
        rest = b""
        try:
            async with api.client.stream("GET", f"{api.target.notifier}/api/export", params=params, timeout=60) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise refusal(answer)
                async for chunk in answer.aiter_bytes():
                    rest = _written(file, rest + chunk, params)
            file.write(rest)
            file.flush()
        except httpx.TransportError as error:
            if attempt == AGAIN or (params["format"] != "jsonl" and not file.seekable()):
                raise _broken(error) from error
            if params["format"] != "jsonl":
                file.seek(begun)
                file.truncate()
            warn(f"The transfer broke off ({str(error) or type(error).__name__}); going on.")
        else:
            return


def _written(file: BinaryIO, data: bytes, params: dict[str, str]) -> bytes:
    """Writes data to `file`; returns the bytes that are not written yet.

    Of JSON lines only complete ones are written, and the cursor in `params` is set to that of the last one.
    """
    if params["format"] != "jsonl":
        file.write(data)
        return b""
    end = data.rfind(b"\n") + 1
    if end:
        file.write(data[:end])
        last = data[data.rfind(b"\n", 0, end - 1) + 1 : end]
        params["cursor"] = msgspec.json.decode(last, type=_Line).cursor
    return data[end:]


def _broken(error: httpx.TransportError) -> Unreachable:
    cause = str(error) or type(error).__name__
    return BrokenOff(f"The export did not come whole ({cause}). Try again; the notifier's log says what stays away.")
