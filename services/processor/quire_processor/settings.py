"""The processor's settings."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quire_processor import cores
from quire_processor.confine import Sandbox
from quire_runtime.files import scratch_problems
from quire_runtime.settings import (
    KafkaSettings,
    LogSettings,
    OpsSettings,
    PostgresSettings,
    PrepareSettings,
    Restart,
    S3Settings,
    TracesSettings,
)


class ProcessorSettings(Struct, frozen=True, kw_only=True):
    """All settings of a processor."""

    kafka: KafkaSettings
    postgres: PostgresSettings
    s3: S3Settings
    ops: OpsSettings = field(default_factory=lambda: OpsSettings(port=9111))
    log: LogSettings = LogSettings()
    traces: TracesSettings = TracesSettings()
    prepare: PrepareSettings = PrepareSettings()
    worker_name: Annotated[
        str, Meta(max_length=200, description="Name in events and logs; unset: the host's name and process id.")
    ] = ""
    group: Annotated[str, Meta(description="Kafka consumer group.")] = "quire-processor"
    restart: Restart = False
    workers: Annotated[
        int,
        Meta(
            ge=0,
            le=256,
            description="Worker processes that extract; 0: one per core that this process may use (affinity, cgroup quota).",
        ),
    ] = 0
    files_in_flight: Annotated[
        int, Meta(ge=0, le=1024, description="Files between fetch and upload at a time; 0: twice the workers, plus two.")
    ] = 0
    heartbeat_seconds: Annotated[float, Meta(gt=0, description="Seconds between the heartbeats of a run.")] = 15.0
    outage_limit_seconds: Annotated[
        float, Meta(gt=0, description="Seconds that storage, database or disk may be away before a file fails.")
    ] = 600.0
    max_fruitless_runs: Annotated[
        int,
        Meta(
            ge=1, description="Processors that may die over a file, and runs of a batch that may end in a row with none finished."
        ),
    ] = 5
    hand_over_seconds: Annotated[
        float, Meta(ge=0, description="Seconds to finish the files in work at a shutdown; the rest is handed over.")
    ] = 10.0
    scratch_dir: Annotated[Path, Meta(description="Where files lie while they are worked on.")] = Path(tempfile.gettempdir())
    sandbox: Annotated[
        Sandbox,
        Meta(
            description="Landlock and seccomp for worker processes: require refuses to start where the kernel lacks one, prefer "
            "goes on with a warning, off does without."
        ),
    ] = "prefer"
    thumbnails: Annotated[Literal["on", "off"], Meta(description="Whether a picture of each file's first page is made.")] = "on"
    memory_limit_mib: Annotated[int, Meta(ge=128, description="Address space of a worker process, in MiB.")] = 1024
    cpu_limit_seconds: Annotated[
        float, Meta(gt=0, description="CPU seconds after which a file keeps the pages it has; twice as many, and it fails.")
    ] = 20.0
    wall_limit_seconds: Annotated[
        float, Meta(gt=0, description="Seconds after which a file fails whose worker neither computes nor comes further.")
    ] = 300.0
    max_pages: Annotated[int, Meta(ge=1, description="Pages of a file at most.")] = 5_000
    max_characters: Annotated[int, Meta(ge=1, description="Characters of text of a file at most.")] = 20_000_000
    files_per_worker: Annotated[int, Meta(ge=1, description="Files after which a worker process is replaced.")] = 200

    def problems(self, environ: Mapping[str, str]) -> list[str]:  # noqa: ARG002 -- the protocol of `Checked`
        return scratch_problems(self.scratch_dir)

    @property
    def pool_size(self) -> int:
        return self.workers or cores.usable()

    @property
    def places(self) -> int:
        return self.files_in_flight or 2 * self.pool_size + 2
