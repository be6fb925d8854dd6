"""`quire token`: makes a token for a Quire whose shared secret is known here."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from quire_cli.console import say
from quire_cli.errors import CliError
from quire_cli.target import DATA, read_stack

DAY_S = 86_400
SCOPES = ("read", "write")


def token(
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", "-c", help="Name, or a prefix that ends in *; several times for several. All by default."),
    ] = None,
    scope: Annotated[list[str] | None, typer.Option(help="read or write; several times for several. Both by default.")] = None,
    subject: Annotated[str, typer.Option(help="Whom it is for.")] = "quire-token",
    expires_in: Annotated[int, typer.Option(min=1, help="Seconds that it is good for.")] = DAY_S,
    data: Annotated[Path, typer.Option(help="Data directory of the `quire up` that is meant.")] = DATA,
) -> None:
    """Print a token for a Quire under QUIRE_AUTH=jwt: signed with QUIRE_AUTH_SECRET, or that of the stack that runs here."""
    import jwt  # noqa: PLC0415 - heavy, and rarely needed

    scopes = scope or SCOPES
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise CliError(f"{', '.join(unknown)}: no such scope. There are {' and '.join(SCOPES)}.")
    claims = {
        "sub": subject,
        "scope": " ".join(f"quire:{name}" for name in scopes),
        "collections": collection or ["*"],
        "exp": int(time.time()) + expires_in,
    }
    say(jwt.encode(claims, secret(data), algorithm="HS256"))


def secret(data: Path) -> str:
    """Returns the shared secret of the environment, else of the running stack. Raises CliError when there is neither."""
    if text := os.environ.get("QUIRE_AUTH_SECRET"):
        return text
    if file := os.environ.get("QUIRE_AUTH_SECRET_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CliError(f"QUIRE_AUTH_SECRET_FILE: {file!r} cannot be read ({error}). Correct the path.") from None
    stack = read_stack(data)
    if stack is None or stack.auth_secret is None:
        raise CliError(
            f"No stack with a shared secret runs on {data}. Start one with QUIRE_AUTH=jwt and QUIRE_AUTH_SECRET set (openssl "
            "rand -hex 32), name its directory with --data, or set QUIRE_AUTH_SECRET to the secret of the Quire that is meant."
        )
    return stack.auth_secret
