"""`python -m quire_ingest sweep`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from quire_ingest.settings import IngestSettings
from quire_ingest.sweep import sweep
from quire_runtime import logs
from quire_runtime.kafka import LogUnavailable
from quire_runtime.scan import LogScan
from quire_runtime.storage import ObjectStore, StorageUnavailable

_DAY_SECONDS = 86_400.0
_GRACE = "leave younger objects alone (default: a day, longer than any upload takes)"


async def sweep_command(settings: IngestSettings, argv: Sequence[str]) -> int:
    """Exit code 0 when all is swept, 2 when the log or the store did not answer."""
    parser = argparse.ArgumentParser("quire sweep", description="Remove from the object store what no event names.")
    parser.add_argument(
        "--older-than",
        type=float,
        default=_DAY_SECONDS,
        metavar="SECONDS",
        help=_GRACE,
    )
    parser.add_argument("--dry-run", action="store_true", help="only count")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(argv)
    logs.setup(msgspec.structs.replace(settings.log, level="error"), "ingest")
    try:
        async with ObjectStore(settings.s3) as store, LogScan(settings.kafka, "sweep") as scan:
            swept = await sweep(store, scan, timedelta(seconds=options.older_than), dry=options.dry_run)
    except (LogUnavailable, StorageUnavailable) as error:
        sys.stderr.write(f"quire sweep: {error}. Try again when it answers; what was removed so far is of no use to anybody\n")
        return 2
    if options.json:
        sys.stdout.write(msgspec.json.encode(swept).decode() + "\n")
    else:
        done = "Would remove" if options.dry_run else "Removed"
        sys.stdout.write(
            f"{done} {swept.artefacts} artefacts, {swept.originals} originals and {swept.manifests} manifests "
            f"({swept.bytes / 1e6:.1f} MB) of {swept.looked_at} objects.\n"
        )
    return 0
