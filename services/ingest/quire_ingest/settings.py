"""The settings of ingest."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, field

from quire_runtime.files import scratch_problems
from quire_runtime.settings import (
    AuthSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    OpsSettings,
    PrepareSettings,
    S3Settings,
    TracesSettings,
)
from quire_runtime.upload_settings import (
    BATCH_SIZE,
    MAX_FILE_MIB,
    MAX_FILES,
    MAX_REQUEST_MIB,
    BatchSize,
    MaxFileMib,
    MaxFiles,
    MaxRequestMib,
)


class IngestSettings(Struct, frozen=True, kw_only=True):
    """All settings of ingest."""

    kafka: KafkaSettings
    s3: S3Settings
    http: HttpSettings = field(default_factory=lambda: HttpSettings(port=8001))
    ops: OpsSettings = field(default_factory=lambda: OpsSettings(port=9100))
    log: LogSettings = LogSettings()
    traces: TracesSettings = TracesSettings()
    auth: AuthSettings = AuthSettings()
    prepare: PrepareSettings = PrepareSettings()
    notifier_url: Annotated[str, Meta(description="Where the notifier is asked how a batch stands, for cancel and retry.")] = (
        "http://127.0.0.1:8000"
    )
    origins: Annotated[
        tuple[str, ...], Meta(description="Origins of pages that may use this API from a browser, comma-separated.")
    ] = ("http://localhost:8000", "http://127.0.0.1:8000")
    batch_size: BatchSize = BATCH_SIZE
    max_file_mib: MaxFileMib = MAX_FILE_MIB
    max_request_mib: MaxRequestMib = MAX_REQUEST_MIB
    max_files: MaxFiles = MAX_FILES
    buffer_mib: Annotated[
        int,
        Meta(ge=0, description="Memory for what is received and not yet stored, in MiB, all uploads together; the rest: disk."),
    ] = 32
    scratch_dir: Annotated[Path, Meta(description="Where what is received waits when that memory is used up.")] = Path(
        tempfile.gettempdir()
    )
    uploads_at_once: Annotated[int, Meta(ge=1, le=64, description="Files of one upload that are stored at the same time.")] = 4
    sends_at_once: Annotated[
        int, Meta(ge=1, le=1_000, description="Files and parts that are sent to the store at the same time.")
    ] = 12
    idle_timeout_seconds: Annotated[
        float, Meta(gt=0, description="Seconds without a byte after which an upload is given up.")
    ] = 60.0
    min_bytes_per_second: Annotated[
        int,
        Meta(ge=0, description="Bytes a second below which an upload is given up, on the average of QUIRE_IDLE_TIMEOUT_SECONDS."),
    ] = 1_024
    max_command_kib: Annotated[
        int,
        Meta(
            ge=16,
            le=65_536,
            description="Size of the body of a cancel or retry at most, in KiB. The id of a file takes 39 bytes, so 512 KiB name "
            "13,000 files.",
        ),
    ] = 512
    command_timeout_seconds: Annotated[
        float, Meta(gt=0, description="Seconds in which the body of a cancel or retry has to come.")
    ] = 10.0
    storage_patience_seconds: Annotated[
        float, Meta(ge=0, description="Seconds to try again while the object store is away, before the answer is 503.")
    ] = 5.0
    shutdown_seconds: Annotated[float, Meta(ge=0, description="Seconds that running requests have to end at a shutdown.")] = 30.0

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        found = []
        if not self.notifier_url.startswith(("http://", "https://")):
            found.append(f"QUIRE_NOTIFIER_URL: {self.notifier_url!r} is no URL. Set it to something like http://127.0.0.1:8000")
        return [*found, *scratch_problems(self.scratch_dir)]
