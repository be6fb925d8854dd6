"""The notifier's settings."""

import hashlib
import re
from collections.abc import Mapping
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
    S3Settings,
    TracesSettings,
)
from quire_schemas.events import MAX_BATCH_SIZE

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class NotifierSettings(Struct, frozen=True, kw_only=True):
    """All that a notifier is told from outside."""

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
    poll_records: Annotated[int, Meta(ge=1, le=10_000, description="Records projected in one transaction at most.")] = 1_000
    ingest_url: Annotated[str, Meta(description="Where pages upload to; empty: the same origin as the page's.")] = ""
    batch_size: Annotated[int, Meta(ge=1, le=MAX_BATCH_SIZE, description="Files of a batch at most, as ingest has it.")] = 25
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
    link_s: Annotated[float, Meta(ge=60, description="Seconds that a signed link is good for, at least.")] = 900.0
    feed_retention: Annotated[
        str, Meta(description="Age at which feed messages are removed, such as 7d, 12h, 30m or 45s; 0 keeps all.")
    ] = "7d"
    drain_s: Annotated[float, Meta(ge=0, description="Seconds over which clients are sent away at a shutdown.")] = 5.0
    authenticate_s: Annotated[float, Meta(gt=0, description="Seconds that a WebSocket has for sending its token.")] = 10.0
    ping_s: Annotated[float, Meta(gt=0, description="Seconds between pings of a WebSocket.")] = 25.0
    max_subscriptions: Annotated[int, Meta(ge=1, description="Collections of one WebSocket at most.")] = 100
    max_sockets_per_address: Annotated[
        int, Meta(ge=0, description="WebSockets of one address at most, loopback apart; 0: no limit.")
    ] = 1_000
    max_sockets_per_subject: Annotated[
        int, Meta(ge=0, description="WebSockets of one token's subject at most, under jwt; 0: no limit.")
    ] = 1_000

    @property
    def page_origins(self) -> tuple[str, ...]:
        """The allow-list in force."""
        return self.origins or (f"http://localhost:{self.http.port}", f"http://127.0.0.1:{self.http.port}")

    @property
    def retention_seconds(self) -> float:
        return duration(self.feed_retention)

    @property
    def link_key(self) -> bytes | None:
        """The key of signed links; None where links need no signature."""
        if self.auth.mode == "none":
            return None
        secret = self.link_secret or self.auth.secret or ""
        return hashlib.sha256(b"quire links\n" + secret.encode()).digest()

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        found = []
        if not _DURATION.fullmatch(self.feed_retention):
            found.append(f"QUIRE_FEED_RETENTION: {self.feed_retention!r} is no duration. Set it to something like 7d or 12h")
        if self.ingest_url and not self.ingest_url.startswith(("http://", "https://")):
            found.append(f"QUIRE_INGEST_URL: {self.ingest_url!r} is no URL. Set it to something like http://127.0.0.1:8001")
        if self.auth.mode == "jwt" and not (self.link_secret or self.auth.secret):
            found.append(
                "QUIRE_LINK_SECRET: links to files have to be signed, and there is no shared secret to make a key from. "
                "Set it to 32 random bytes, the same for every notifier (openssl rand -hex 32)"
            )
        if self.link_secret is not None and len(self.link_secret.encode()) < 32:
            found.append("QUIRE_LINK_SECRET: it needs 32 bytes or more. Set a longer one (openssl rand -hex 32)")
        return found


def duration(text: str) -> float:
    """Seconds of `90`, `45s`, `30m`, `12h`, `7d`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration")
    return float(match[1]) * _SECONDS[match[2]]
