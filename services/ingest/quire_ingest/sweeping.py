"""The command `python -m quire_ingest sweep`."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import httpx
import msgspec

from quire_ingest.read_model import listed_batches
from quire_ingest.settings import IngestSettings
from quire_ingest.sweep import sweep
from quire_runtime import logs
from quire_runtime.errors import CannotServe
from quire_runtime.kafka import LogUnavailable
from quire_runtime.scan import LogScan
from quire_runtime.storage import ObjectStore, StorageRefuses, StorageUnavailable
from quire_schemas.tokens import UnfitToken, collections_of, token_of

_DAY_SECONDS, _HOUR_SECONDS = 86_400.0, 3_600.0
_MOST_SECONDS = 100 * 365 * _DAY_SECONDS
_NOTIFIER_SECONDS = 30.0
_GRACE = "leave younger objects alone (default: a day, longer than any upload takes)"


async def sweep_command(settings: IngestSettings, argv: Sequence[str]) -> int:
    """Carries out the command. Returns exit code 0 where the sweep is done, 2 where the log or the store did not answer.

    Raises CannotServe, which becomes exit code 2, where the options, the log or the notifier do not allow a sweep.
    """
    parser = argparse.ArgumentParser("quire sweep", description="Remove from the object store what no event names.")
    parser.add_argument(
        "--older-than",
        type=_age,
        default=_DAY_SECONDS,
        metavar="SECONDS",
        help=_GRACE,
    )
    parser.add_argument("--force", action="store_true", help="objects of any age")
    parser.add_argument("--partial-log", action="store_true", help="although the log is not whole")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(argv)
    if options.older_than < _HOUR_SECONDS and not options.force:
        raise CannotServe(
            f"--older-than {options.older_than:g}: an upload that is still coming in would lose what it has stored, and be "
            "answered with 202 all the same. Give 3600 or more; or --force, if nothing is being uploaded"
        )
    logs.setup(msgspec.structs.replace(settings.log, level="error"), "ingest")
    notifier = httpx.AsyncClient(base_url=settings.notifier_url, timeout=_NOTIFIER_SECONDS, trust_env=False)
    try:
        async with ObjectStore(settings.s3) as store, LogScan(settings.kafka, "sweep") as scan, notifier:
            listed = None if options.partial_log else await listed_batches(notifier, _token_for_all())
            swept = await sweep(store, scan, listed, timedelta(seconds=options.older_than), dry=options.dry_run)
    except StorageRefuses:
        raise
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


def _age(text: str) -> float:
    """Seconds. Raises ArgumentTypeError for what is no time that can have passed."""
    with suppress(ValueError):
        if 0 <= (seconds := float(text)) <= _MOST_SECONDS:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} will not do; give 0 to {_MOST_SECONDS:.0f}")


def _token_for_all() -> str | None:
    """Returns the token that is given, if any. Raises CannotServe where it does not let read all collections: the notifier would
    list only the batches of some, and a log that lacks others would pass for whole.
    """
    try:
        token = token_of(os.environ)
    except UnfitToken as error:
        raise CannotServe(str(error)) from None
    some = None if token is None else collections_of(token)
    if some is not None and "*" not in some:
        raise CannotServe(
            f"QUIRE_TOKEN is for {', '.join(some) or 'no collection'} only, so nobody can tell whether the log has the batches "
            "of the others. Give a token for all collections (*)"
        )
    return token
