"""The notifier's settings."""

import hashlib
import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated

from msgspec import Meta, Struct, field

from quire_runtime.settings import (
    AuthSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    OpsSettings,
    PostgresSettings,
    PrepareSettings,
    Restart,
    S3Settings,
    TracesSettings,
)
from quire_runtime.upload_settings import (
    BATCH_SIZE,
    MAX_FILE_MIB,
    MAX_FILES,
    MAX_REQUEST_MIB,
    MIB,
    BatchSize,
    MaxFileMib,
    MaxFiles,
    MaxRequestMib,
)
from quire_schemas.views import UploadLimits

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_CONFIG = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class NotifierSettings(Struct, frozen=True, kw_only=True):
    """All settings of a notifier."""

    kafka: KafkaSettings
    postgres: PostgresSettings
    s3: S3Settings
    http: HttpSettings = HttpSettings(port=8000)
    ops: OpsSettings = field(default_factory=lambda: OpsSettings(port=9101))
    log: LogSettings = LogSettings()
    traces: TracesSettings = TracesSettings()
    auth: AuthSettings = AuthSettings()
    prepare: PrepareSettings = PrepareSettings()
    group: Annotated[str, Meta(description="Kafka consumer group.")] = "quire-notifier"
    restart: Restart = False
    poll_records: Annotated[int, Meta(ge=1, le=10_000, description="Records projected in one transaction at most.")] = 1_000
    ingest_url: Annotated[str, Meta(description="Where pages upload to; empty: the same origin as the page's.")] = ""
    batch_size: BatchSize = BATCH_SIZE
    max_file_mib: MaxFileMib = MAX_FILE_MIB
    max_request_mib: MaxRequestMib = MAX_REQUEST_MIB
    max_files: MaxFiles = MAX_FILES
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins of pages that may use API and WebSocket from a browser, comma-separated; unset: the page's own."
        ),
    ] = ()
    link_secret: Annotated[
        str | None,
        Meta(description="What signs links to files under jwt; unset: made from QUIRE_AUTH_SECRET.", extra={"secret": True}),
    ] = None
    link_seconds: Annotated[float, Meta(ge=60, description="Seconds that a signed link is good for, at least.")] = 900.0
    feed_retention: Annotated[
        str, Meta(description="Age at which feed messages are removed, such as 7d, 12h, 30m or 45s; 0 keeps all.")
    ] = "7d"
    text_search: Annotated[
        str, Meta(description="Postgres' text search configuration for searching in texts, such as english; the same everywhere.")
    ] = "simple"
    drain_seconds: Annotated[float, Meta(ge=0, description="Seconds over which clients are sent away at a shutdown.")] = 5.0
    authenticate_seconds: Annotated[float, Meta(gt=0, description="Seconds that a WebSocket has for sending its token.")] = 10.0
    ping_seconds: Annotated[float, Meta(gt=0, description="Seconds between pings of a WebSocket.")] = 25.0
    max_subscriptions: Annotated[int, Meta(ge=1, description="Collections of one WebSocket at most.")] = 100
    max_frames: Annotated[
        int, Meta(ge=1, description="Frames that a WebSocket's client may send in a second, pings too, on the average of 10 s.")
    ] = 100
    max_sockets_per_address: Annotated[
        int, Meta(ge=0, description="WebSockets and event streams of one address at most, loopback apart; 0: no limit.")
    ] = 1_000
    max_sockets_per_subject: Annotated[
        int, Meta(ge=0, description="WebSockets and event streams of one token's subject at most, under jwt; 0: no limit.")
    ] = 1_000
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Proxies in front: addresses or networks, comma-separated. Their X-Forwarded-For names the client."),
    ] = ()
    feed_connections: Annotated[
        int, Meta(ge=1, le=1_000, description="Connections to Postgres that the feed has, beside QUIRE_POSTGRES_POOL_SIZE.")
    ] = 4

    @property
    def upload_limits(self) -> UploadLimits:
        """The limits of uploads. They are ingest's if both services have the same settings."""
        return UploadLimits(
            max_file_bytes=self.max_file_mib * MIB, max_request_bytes=self.max_request_mib * MIB, max_files=self.max_files
        )

    @property
    def page_origins(self) -> tuple[str, ...]:
        """The origins that are allowed, with the default if none are set."""
        return self.origins or (f"http://localhost:{self.http.port}", f"http://127.0.0.1:{self.http.port}")

    @property
    def retention_seconds(self) -> float:
        return duration(self.feed_retention)

    @property
    def link_key(self) -> bytes | None:
        """The key that signs links, or None when links need no signature."""
        if self.auth.mode == "none":
            return None
        secret = self.link_secret or self.auth.secret or ""
        return hashlib.sha256(b"quire links\n" + secret.encode()).digest()

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        found = []
        if not _DURATION.fullmatch(self.feed_retention):
            found.append(f"QUIRE_FEED_RETENTION: {self.feed_retention!r} is no duration. Set it to something like 7d or 12h")
        if not _CONFIG.fullmatch(self.text_search):
            found.append(
                f"QUIRE_TEXT_SEARCH: {self.text_search!r} is no text search configuration. Set it to simple, or to a language"
            )
        if self.ingest_url and not self.ingest_url.startswith(("http://", "https://")):
            found.append(f"QUIRE_INGEST_URL: {self.ingest_url!r} is no URL. Set it to something like http://127.0.0.1:8001")
        if self.auth.mode == "jwt" and not (self.link_secret or self.auth.secret):
            found.append(
                "QUIRE_LINK_SECRET: links to files have to be signed, and there is no shared secret to make a key from. "
                "Set it to 32 random bytes, the same for every notifier (openssl rand -hex 32)"
            )
        if self.link_secret is not None and len(self.link_secret.encode()) < 32:
            found.append("QUIRE_LINK_SECRET: it needs 32 bytes or more. Set a longer one (openssl rand -hex 32)")
        found += [
            f"QUIRE_TRUSTED_PROXIES: {proxy!r} is neither an address nor a network. Set it to something like 10.0.0.0/8,192.0.2.7"
            for proxy in self.trusted_proxies
            if not _is_network(proxy)
        ]
        return found


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def duration(text: str) -> float:
    """Returns the seconds of `90`, `45s`, `30m`, `12h` or `7d`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration")
    return float(match[1]) * _SECONDS[match[2]]
