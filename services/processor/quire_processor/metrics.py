"""Every metric of the processor, declared once."""

from prometheus_client import Counter, Gauge, Histogram

FILE_STAGE_SECONDS = Histogram(
    "quire_processor_file_stage_seconds",
    "Seconds that a file spent in a stage of its way: fetch, extract, insert, upload.",
    ["stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80),
)
FILES = Counter("quire_processor_files_total", "Files that a run of this processor settled, by outcome code.", ["code"])
PAGES = Counter("quire_processor_pages_total", "Pages of the files that this processor processed.")
RUNS = Counter(
    "quire_processor_runs_total",
    "Runs of this processor by how they came to be: fresh, or a takeover of another run.",
    ["kind"],
)
RUNS_ENDED = Counter(
    "quire_processor_runs_ended_total",
    "Runs of this processor by how they ended: finished, superseded by the log, given_up, broken.",
    ["how"],
)
RUNS_OPEN = Gauge("quire_processor_runs_open", "Batches that this processor is working on.")
FILES_IN_FLIGHT = Gauge("quire_processor_files_in_flight", "Files between fetch and upload.")
BATCHES_WAITING = Gauge("quire_processor_batches_waiting", "Batches of owned partitions that wait for a turn.")
PARTITIONS = Gauge("quire_processor_partitions", "Partitions of the topic that this processor owns.")
WORKER_KILLS = Counter("quire_processor_worker_kills_total", "Worker processes that were killed or died, by reason.", ["reason"])
SANDBOX = Gauge("quire_processor_sandbox", "1 where this part of the kernel confines worker processes, else 0.", ["part"])
