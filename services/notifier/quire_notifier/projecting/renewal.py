"""Takes over from an older version of the fold, which projects and serves until then.

Where the old states can be converted, the live epoch is continued. Otherwise a new epoch is built beside it, and one
transaction switches to it.
"""

import asyncio

import asyncpg

from quire_notifier.projecting.epochs import NeedsRebuild, live_epoch
from quire_notifier.projecting.rebuild import Busy, WouldLose, rebuild
from quire_notifier.projecting.requests import sum_anew
from quire_notifier.settings import NotifierSettings
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient, session
from quire_runtime.retry import retrying
from quire_runtime.scan import LogScan
from quire_runtime.statements import statements
from quire_schemas.states import CARRIES_ON_FROM, FOLD_VERSION

log = get_logger(__name__)
_SQL = statements("quire_notifier.projecting", "epochs")
LOOK_SECONDS = 1.0


async def renew(settings: NotifierSettings, pool: asyncpg.Pool) -> None:
    """Returns once the live epoch is of our version of the fold or of a newer one. Waits while another notifier builds it, or
    while a server is away. Raises NeedsRebuild when this service may not make tables, or when the log is incomplete.
    """
    while (epoch := await live_epoch(pool)).fold_version < FOLD_VERSION:
        if epoch.fold_version >= CARRIES_ON_FROM:
            async with pool.acquire() as connection, connection.transaction():
                if await connection.execute(_SQL["carry_on"], FOLD_VERSION) == "UPDATE 1":
                    await sum_anew(connection)
            log.info("epoch carried on", epoch=epoch.id, before=epoch.fold_version, now=FOLD_VERSION)
        elif settings.prepare.make:
            await _build(settings, epoch.fold_version)
        else:
            raise NeedsRebuild(
                f"the tables were folded by version {epoch.fold_version} of the fold, this is version {FOLD_VERSION}, and it may "
                "make none. Let the command `prepare` of this version make them"
            )


async def _build(settings: NotifierSettings, before: int) -> None:
    log.info("building an epoch beside the live one", before=before, now=FOLD_VERSION)
    try:
        await retrying(
            lambda: build(settings),
            transient=lambda error: isinstance(error, LogUnavailable) or is_transient(error),
            give_up_after=None,
            on_retry=lambda error, attempt: log.warning("building again", error=str(error), attempt=attempt),
        )
    except Busy:
        await asyncio.sleep(LOOK_SECONDS)
    except WouldLose as error:
        raise NeedsRebuild(str(error)) from error


async def build(settings: NotifierSettings) -> None:
    """Folds the whole log into a new epoch and switches to it. Raises Busy, WouldLose, LogUnavailable and asyncpg's errors."""
    connection = await asyncpg.connect(settings.postgres.dsn, server_settings=session("quire-rebuild"))
    try:
        async with LogScan(settings.kafka, "rebuild") as scan:
            told = lambda done, total: log.info("building", done=done, total=total)  # noqa: E731 -- a line
            built = await rebuild(connection, scan, told, settings.prepare.grant_to)
    finally:
        await connection.close()
    log.info("epoch built", epoch=built.epoch, records=built.records)
