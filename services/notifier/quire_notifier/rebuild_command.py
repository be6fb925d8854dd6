"""`python -m quire_notifier rebuild`. It makes tables, so it needs an owner's rights, whatever QUIRE_PREPARE says."""

import sys
from collections.abc import Sequence

import asyncpg
import msgspec

from quire_notifier.prepare import migrated
from quire_notifier.projecting.rebuild import AS_OWNER, Busy, rebuild
from quire_notifier.settings import NotifierSettings
from quire_runtime import logs
from quire_runtime.kafka import LogUnavailable
from quire_runtime.postgres import DatabaseRefuses
from quire_runtime.preparing import making
from quire_runtime.scan import LogScan

_PATIENCE_SECONDS = 10.0
_SESSION = {"application_name": "quire-rebuild", "timezone": "UTC"}


async def rebuild_command(settings: NotifierSettings, argv: Sequence[str]) -> int:
    """Runs a rebuild. Returns exit code 0 when the new tables are live, 2 when nothing was changed."""
    if unknown := set(argv) - {"--json", "--force"}:
        return _said(f"unknown arguments {' '.join(sorted(unknown))!r}. rebuild takes --force and --json only", 2)
    logs.setup(msgspec.structs.replace(settings.log, level="critical"), "notifier")
    try:
        await migrated(making(settings), give_up_after=_PATIENCE_SECONDS)
        connection = await asyncpg.connect(settings.postgres.dsn, server_settings=_SESSION)
    except DatabaseRefuses as error:
        if not isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            raise
        return _said(f"quire rebuild: {error.__cause__}. {AS_OWNER}", 2)
    except (OSError, asyncpg.PostgresError) as error:
        return _said(f"quire rebuild: Postgres does not let us in: {error}. Look at QUIRE_POSTGRES_DSN", 2)
    try:
        async with LogScan(settings.kafka, "rebuild") as scan:
            done = await rebuild(
                connection,
                scan,
                lambda done, total: _say(f"{done} of {total} records"),
                settings.prepare.grant_to,
                force="--force" in argv,
            )
    except (Busy, LogUnavailable) as error:
        return _said(f"quire rebuild: {error}", 2)
    finally:
        await connection.close()
    if "--json" in argv:
        sys.stdout.write(msgspec.json.encode(done._asdict()).decode() + "\n")
        return 0
    cut = f" The oldest records of partitions {done.cut} are gone: batches in them are incomplete." if done.cut else ""
    return _said(f"Rebuilt from {done.records} records; epoch {done.epoch} is live.{cut}", 0)


def _said(sentence: str, code: int) -> int:
    _say(sentence)
    return code


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
