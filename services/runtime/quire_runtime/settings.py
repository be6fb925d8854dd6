"""The groups of settings that services share, and the function that reads settings (see `environment`)."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct

from quire_runtime import environment
from quire_runtime.environment import SettingDescription, SettingsError, describe, values

__all__ = [
    "AuthSettings",
    "HttpSettings",
    "KafkaSettings",
    "LogSettings",
    "OpsSettings",
    "PostgresSettings",
    "PrepareSettings",
    "S3Settings",
    "SettingDescription",
    "SettingsError",
    "TracesSettings",
    "describe",
    "exposure_problems",
    "is_loopback",
    "load",
    "values",
]

EVERY_ORIGIN = "*"
"""The entry in a list of origins that stands for every origin."""

S = TypeVar("S", bound=Struct)


class KafkaSettings(Struct, frozen=True, kw_only=True):
    """Where the log is, and the properties that its topic must have."""

    bootstrap: Annotated[str, Meta(description="Kafka brokers to ask first, host:port, comma-separated.")] = "127.0.0.1:9092"
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$", description="The one topic.")] = "quire.batches"
    partitions: Annotated[int, Meta(ge=1, le=10_000, description="Partitions of the topic; fixed for its life.")] = 24
    replication: Annotated[int, Meta(ge=1, le=32, description="Replicas of each partition, when the topic is made.")] = 1
    min_insync_replicas: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="min.insync.replicas when the topic is made; by default 2 from 3 replicas on, else 1."),
    ] = None
    allow_retention: Annotated[
        bool,
        Meta(
            description="Serve on a topic that is compacted or removes old records: then old batches cannot be rebuilt, and "
            "nothing can be swept."
        ),
    ] = False
    request_timeout_seconds: Annotated[float, Meta(gt=0, description="Seconds until an unanswered request counts as failed.")] = (
        10.0
    )
    publish_timeout_seconds: Annotated[
        float, Meta(gt=0, description="Seconds until an unacknowledged event counts as failed.")
    ] = 10.0
    session_timeout_seconds: Annotated[
        float, Meta(ge=6, description="Seconds without a heartbeat after which a group gives a member's partitions away.")
    ] = 6.0
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], Meta(description="How to talk to the brokers.")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="SASL mechanism, with a SASL_ protocol.")
    ] = "SCRAM-SHA-512"
    sasl_username: Annotated[str | None, Meta(description="SASL user.")] = None
    sasl_password: Annotated[str | None, Meta(description="SASL password.", extra={"secret": True})] = None
    ssl_cafile: Annotated[Path | None, Meta(description="PEM file of the CA to trust instead of the system's.")] = None

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        if self.security_protocol.startswith("SASL_") and not (self.sasl_username and self.sasl_password):
            both = "QUIRE_KAFKA_SASL_USERNAME, QUIRE_KAFKA_SASL_PASSWORD"
            return [f"{both}: {self.security_protocol} needs both. Set them, or another QUIRE_KAFKA_SECURITY_PROTOCOL"]
        if (self.min_insync_replicas or 1) > self.replication:
            return ["QUIRE_KAFKA_MIN_INSYNC_REPLICAS: more than QUIRE_KAFKA_REPLICATION: no event would be taken. Lower it"]
        return []


class PostgresSettings(Struct, frozen=True, kw_only=True):
    """The Postgres database with the tables."""

    dsn: Annotated[
        str, Meta(description="Connection URL such as postgresql://user:password@host:5432/quire.", extra={"secret": True})
    ]
    pool_size: Annotated[int, Meta(ge=1, le=1000, description="Connections at most, per process.")] = 10
    command_timeout_seconds: Annotated[float, Meta(gt=0, description="Seconds until a statement is given up.")] = 30.0

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        if self.dsn.startswith(("postgresql://", "postgres://")):
            return []
        return ["QUIRE_POSTGRES_DSN: it is no connection URL. Set it to postgresql://user:password@host:5432/database"]


class S3Settings(Struct, frozen=True, kw_only=True):
    """The object store for originals and artefacts."""

    endpoint: Annotated[str | None, Meta(description="URL of the S3 server; unset: AWS itself.")] = None
    bucket: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="The bucket; made if it is missing.")
    ] = "quire"
    access_key: Annotated[str | None, Meta(description="Access key; unset: the AWS default credential chain.")] = None
    secret_key: Annotated[str | None, Meta(description="Secret key.", extra={"secret": True})] = None
    region: Annotated[str, Meta(description="Region.")] = "us-east-1"
    pool_size: Annotated[int, Meta(ge=1, le=1000, description="Connections at most, per process.")] = 32
    timeout_seconds: Annotated[float, Meta(gt=0, description="Seconds without an answer until a request counts as failed.")] = (
        20.0
    )

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        if bool(self.access_key) != bool(self.secret_key):
            return ["QUIRE_S3_ACCESS_KEY, QUIRE_S3_SECRET_KEY: only one of them is set. Set both, or neither"]
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            return [f"QUIRE_S3_ENDPOINT: {self.endpoint!r} is no URL. Set it to something like http://127.0.0.1:9000"]
        return []


class PrepareSettings(Struct, frozen=True, kw_only=True):
    """Whether the service makes topic, bucket and tables, and which roles may use the tables."""

    make: Annotated[
        bool,
        Meta(
            description="Make topic, bucket and tables where they are missing; false: wait until `prepare` has made them.",
            extra={"env": "QUIRE_PREPARE"},
        ),
    ] = True
    grant_to: Annotated[
        tuple[str, ...],
        Meta(description="Postgres roles that may read and write the tables, granted when they are made, comma-separated."),
    ] = ()


Restart = Annotated[bool, Meta(description="Start the service again when it dies. Leave it false where something else does so.")]


class OpsSettings(Struct, frozen=True, kw_only=True):
    """The port for machines: /livez, /readyz, /metrics."""

    host: Annotated[str, Meta(description="Address of the ops port.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The ops port.")] = 9100


class HttpSettings(Struct, frozen=True, kw_only=True):
    """The port for API clients and browsers."""

    host: Annotated[str, Meta(description="Address of the HTTP port.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The HTTP port.")] = 8000
    head_timeout_seconds: Annotated[float, Meta(gt=0, description="Seconds that a client has to send the head of a request.")] = (
        10.0
    )
    keep_alive_seconds: Annotated[
        float, Meta(gt=0, description="Seconds that a connection may be idle between two requests.")
    ] = 5.0
    stall_timeout_seconds: Annotated[
        float, Meta(gt=0, description="Seconds in which a client has to take 32 KiB of an answer that waits for it.")
    ] = 30.0
    max_connections: Annotated[
        int,
        Meta(ge=0, description="Connections at most, WebSockets too; 0: as many as the limit of open files has room for."),
    ] = 0


class LogSettings(Struct, frozen=True, kw_only=True):
    """Format and level of a service's log."""

    format: Annotated[
        Literal["auto", "json", "console"], Meta(description="json, console, or auto: console on a terminal, else json.")
    ] = "auto"
    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least severe record written.")] = "info"


class TracesSettings(Struct, frozen=True, kw_only=True):
    """Where spans of traces are sent, if anywhere."""

    endpoint: Annotated[
        str | None, Meta(description="URL that spans are posted to (OTLP, protobuf over HTTP); unset: there are no traces.")
    ] = None
    ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of the traces begun here that are recorded; a caller's traceparent has decided already.",
        ),
    ] = 1.0

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        if self.endpoint is None:
            return []
        found = []
        if not re.match(r"https?://[^/]+/.", self.endpoint):
            cure = "Set it to something like http://127.0.0.1:4318/v1/traces"
            found.append(f"QUIRE_TRACES_ENDPOINT: {self.endpoint!r} is no URL with a path. {cure}")
        if not _can_export():
            cure = "Install it (pip install 'quire-runtime[otel]'), or unset the variable"
            found.append(f"QUIRE_TRACES_ENDPOINT: the OpenTelemetry exporter is not installed. {cure}")
        return found


class AuthSettings(Struct, frozen=True, kw_only=True):
    """How callers are authenticated."""

    mode: Annotated[
        Literal["none", "jwt"],
        Meta(
            description="jwt, or none: everybody may do everything (on other than a loopback address only if set explicitly).",
            extra={"env": "QUIRE_AUTH"},
        ),
    ] = "none"
    algorithms: Annotated[
        tuple[Literal["HS256", "RS256", "ES256", "EdDSA"], ...], Meta(description="Signatures that are accepted.")
    ] = ()
    secret: Annotated[str | None, Meta(description="Shared secret of HS256, 32 bytes or more.", extra={"secret": True})] = None
    key_file: Annotated[Path | None, Meta(description="PEM file with the public key of RS256, ES256 or EdDSA.")] = None
    jwks_url: Annotated[str | None, Meta(description="URL of a JWKS with the public keys of RS256, ES256 or EdDSA.")] = None
    jwks_keep_seconds: Annotated[
        float, Meta(gt=0, description="Seconds that fetched keys serve at most while the key set cannot be fetched again.")
    ] = 86_400.0
    audience: Annotated[str | None, Meta(description="The `aud` a token must have; unset: not looked at.")] = None
    issuer: Annotated[str | None, Meta(description="The `iss` a token must have; unset: not looked at.")] = None
    leeway_seconds: Annotated[float, Meta(ge=0, le=300, description="Seconds by which clocks may differ.")] = 10.0

    @property
    def accepted(self) -> tuple[str, ...]:
        """The accepted algorithms: as set, else all that the kind of key allows. They never mix a shared secret and a public
        key.
        """
        if self.algorithms:
            return self.algorithms
        return ("HS256",) if self.secret is not None else ("RS256", "ES256", "EdDSA")

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        if self.mode == "none":
            return []
        keys = [self.secret, self.key_file, self.jwks_url]
        if sum(key is not None for key in keys) != 1:
            return ["QUIRE_AUTH: jwt needs exactly one of QUIRE_AUTH_SECRET, QUIRE_AUTH_KEY_FILE, QUIRE_AUTH_JWKS_URL. Set one"]
        found = []
        if ("HS256" in self.accepted) != (self.secret is not None) or (self.secret is not None and len(self.accepted) > 1):
            found.append(
                "QUIRE_AUTH_ALGORITHMS: HS256 goes with QUIRE_AUTH_SECRET alone, the others with a public key. "
                "Unset it, or name algorithms that fit the key"
            )
        if self.secret is not None and len(self.secret.encode()) < 32:
            found.append("QUIRE_AUTH_SECRET: HS256 needs 32 bytes or more. Set a longer one (openssl rand -hex 32)")
        if self.key_file is not None and not self.key_file.is_file():
            found.append(f"QUIRE_AUTH_KEY_FILE: there is no file {str(self.key_file)!r}. Correct the path")
        if self.jwks_url is not None and not self.jwks_url.startswith(("http://", "https://")):
            found.append(f"QUIRE_AUTH_JWKS_URL: {self.jwks_url!r} is no URL. Set it to an https:// address")
        return found


def load(cls: type[S], environ: Mapping[str, str]) -> S:
    """Returns a service's settings. Raises SettingsError with every problem, including a service that is open to the network
    without access control.
    """
    settings = environment.load(cls, environ)
    parts = [getattr(settings, name) for name in cls.__struct_fields__]
    auth = next((part for part in parts if isinstance(part, AuthSettings)), AuthSettings())
    problems = [
        problem for part in parts if isinstance(part, HttpSettings) for problem in exposure_problems(part.host, auth, environ)
    ]
    if auth.mode == "none" and EVERY_ORIGIN in getattr(settings, "origins", ()):
        cure = "Name the origins of your pages; or set QUIRE_AUTH=jwt with a key"
        problems.append(f"QUIRE_ORIGINS: {EVERY_ORIGIN} would let any page that somebody opens submit and read. {cure}")
    if problems:
        raise SettingsError(problems)
    return settings


def _can_export() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # raised when a parent package is missing
        return False


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach a server bound to `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def exposure_problems(host: str, auth: AuthSettings, environ: Mapping[str, str]) -> list[str]:
    """Returns a problem for a service that is open to the network and to everybody, unless QUIRE_AUTH is set explicitly
    (docs/design.md, "Access").
    """
    if auth.mode == "jwt" or is_loopback(host) or environ.get("QUIRE_AUTH") or environ.get("QUIRE_AUTH_FILE"):
        return []
    cure = "Set QUIRE_AUTH=jwt with a key; or QUIRE_AUTH=none, if that is what you want; or QUIRE_HTTP_HOST=127.0.0.1"
    return [f"QUIRE_AUTH: the HTTP port would listen on {host}, and anybody could submit and read. {cure}"]
