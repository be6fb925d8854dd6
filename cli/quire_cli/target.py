"""Finds Quire's addresses: in the command line, the environment, or the stack that `quire up` runs in this directory."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from quire_cli.errors import CliError
from quire_schemas.tokens import UnfitToken, token_of

DEFAULT_URL = "http://127.0.0.1:8000"
DATA = Path(".quire")
"""Directory in which `quire up` keeps its data by default."""


class S3Place(Struct, frozen=True):
    endpoint: str
    bucket: str
    access_key: str
    secret_key: str


class StackFile(Struct, frozen=True):
    """Content of stack.json, which `quire up` writes when it is ready (docs/design.md, "Contracts")."""

    ingest_url: str
    notifier_url: str
    kafka: str
    postgres: str
    s3: S3Place
    auth_secret: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for the services' own commands."""
        return {
            "QUIRE_NOTIFIER_URL": self.notifier_url,
            "QUIRE_KAFKA_BOOTSTRAP": self.kafka,
            "QUIRE_POSTGRES_DSN": self.postgres,
            "QUIRE_S3_ENDPOINT": self.s3.endpoint,
            "QUIRE_S3_BUCKET": self.s3.bucket,
            "QUIRE_S3_ACCESS_KEY": self.s3.access_key,
            "QUIRE_S3_SECRET_KEY": self.s3.secret_key,
        }


class Target(Struct, frozen=True):
    """Addresses and token of a Quire; `ingest` is None when its address is to be read from the notifier's /api/config."""

    notifier: str
    ingest: str | None
    token: str | None


def target(url: str | None, environ: Mapping[str, str], data: Path = DATA) -> Target:
    """Returns the Quire that a command talks to.

    The notifier's address is the first that is given of: `url`, QUIRE_URL, QUIRE_NOTIFIER_URL, the stack of `data`, port
    8000 of this machine. Raises CliError for an address or a token that cannot be one.
    """
    named = url or environ.get("QUIRE_URL") or environ.get("QUIRE_NOTIFIER_URL")
    ingest = environ.get("QUIRE_INGEST_URL")
    try:
        token = token_of(environ)
    except UnfitToken as error:
        raise CliError(f"{error}.") from None
    if named is None and (stack := read_stack(data)) is not None:
        return Target(stack.notifier_url, ingest or stack.ingest_url, token)
    return Target(clean(named or DEFAULT_URL), clean(ingest) if ingest else None, token)


def read_stack(data: Path) -> StackFile | None:
    """Returns the stack that runs on this data directory; None where none does."""
    try:
        return msgspec.json.decode((data / "stack.json").read_bytes(), type=StackFile)
    except (OSError, msgspec.DecodeError):
        return None


def clean(url: str) -> str:
    """Returns the URL with a scheme and without a slash at the end. Raises CliError when it cannot be a URL of Quire."""
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number, or too large
        good = False
    if not good:
        raise CliError(f"{url!r} is no address. Give one like {DEFAULT_URL}")
    return whole.rstrip("/")
