"""Every metric of the processor, declared once."""

from typing import get_args

from quire_runtime.metrics import built, counter, gauge, histogram
from quire_schemas.events import Dependency, FileCode, FileStage

built("processor")

FILE_STAGE_SECONDS = histogram(
    "quire_processor_file_stage_seconds",
    "Seconds that a file spent in a stage of its way, with the wait for a free worker, or for what is away.",
    # A small file takes milliseconds. The limit of a file is 40 s, or 80 s where it is read again; that of an outage is 600 s.
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 300, 600),
    stage=get_args(FileStage),
)
FILES = counter(
    "quire_processor_files_total",
    "Files that a run of this processor settled: processed, or the code of their failure.",
    code=("processed", *get_args(FileCode)),
)
PAGES = counter("quire_processor_pages_total", "Pages of the files that this processor processed.")
RUNS = counter(
    "quire_processor_runs_total",
    "Attempts of this processor at a batch: fresh ones, and takeovers of a run that has shown no end.",
    kind=("fresh", "takeover"),
)
RUNS_ENDED = counter(
    "quire_processor_runs_ended_total",
    "Runs of this processor by how they ended: with the end of their batch (finished), by another run or a forced retry "
    "(superseded), since the partition is another's or the process stops (given_up), by an error of ours (broken).",
    how=("finished", "superseded", "given_up", "broken"),
)
RUNS_OPEN = gauge("quire_processor_runs_open", "Batches that this processor is working on.")
FILES_IN_FLIGHT = gauge("quire_processor_files_in_flight", "Files between fetch and upload.")
BATCHES_WAITING = gauge(
    "quire_processor_batches_waiting", "Batches of owned partitions with files that wait for their turn, or that are not started."
)
WAITING = gauge(
    "quire_processor_waiting",
    "Files and events that wait for something that is away, by what that is.",
    dependency=get_args(Dependency),
)
WORKERS = gauge("quire_processor_workers", "Worker processes, by whether they have a file.", state=("busy", "idle"))
WORKERS_LIMIT = gauge("quire_processor_workers_limit", "Worker processes that there may be.")
WORKER_KILLS = counter(
    "quire_processor_worker_kills_total",
    "Worker processes that were killed or died: past the limit of time or of memory, by themselves with a file (died) or without "
    "one (idle), or because their file was taken away from them (cancelled).",
    reason=("timeout", "out_of_memory", "died", "idle", "cancelled"),
)
SANDBOX = gauge(
    "quire_processor_sandbox",
    "1 where this part of the kernel confines worker processes, else 0.",
    part=("landlock", "seccomp"),
)
