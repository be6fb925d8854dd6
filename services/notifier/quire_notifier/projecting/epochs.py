"""Epochs. An epoch is one projection of the whole log into tables; exactly one epoch is live (docs/design.md, "Epochs")."""

from typing import NamedTuple

import asyncpg

from quire_runtime.postgres import is_transient
from quire_runtime.statements import statements
from quire_schemas.states import FOLD_VERSION

SCHEMA = "notifier"
_SQL = statements("quire_notifier.projecting", "epochs")

NONE_IS_LIVE = "there is no live epoch"
"""Reason of a NeedsRebuild. Epochs are switched in one transaction, so no epoch is live only when all tables were lost and the
first rebuild has not ended.
"""

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


class NeedsRebuild(Exception):
    """The tables cannot be continued from the log as they are. `quire rebuild` builds them again while all services run."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. Run `quire rebuild`")


class Outdated(Exception):
    """The live epoch was folded by an older version of the fold. `renewal` continues the epoch, or
    builds a new one beside it.
    """

    def __init__(self) -> None:
        super().__init__("the tables of this version are being built beside those of an older one")


class Superseded(Exception):
    """The live epoch was folded by a newer version of the fold. Only notifiers of that version project; this one serves what
    they have projected.
    """


def passes(error: BaseException) -> bool:
    """Returns whether waiting helps: Postgres is away, or the tables are lost until `quire rebuild` has built them again."""
    return is_transient(error) or isinstance(error, asyncpg.UndefinedTableError | NeedsRebuild)


class Epoch(NamedTuple):
    """A projection of the whole log, made by one version of the fold."""

    id: str
    fold_version: int

    def check(self) -> None:
        """Raises Outdated or Superseded when the epoch was folded by an older or a newer version than ours."""
        if self.fold_version < FOLD_VERSION:
            raise Outdated
        if self.fold_version > FOLD_VERSION:
            raise Superseded


async def ensure_epoch(pool: asyncpg.Pool) -> None:
    """Creates the first epoch if there is none."""
    await pool.execute(_SQL["first"], FOLD_VERSION)


async def check_tables(pool: asyncpg.Pool) -> None:
    """Raises unless Postgres answers now and has the live epoch's tables."""
    await live_epoch(pool)


async def live_epoch(connection: Connection | asyncpg.Pool) -> Epoch:
    """Returns the live epoch. Raises NeedsRebuild when its tables are lost."""
    try:
        row = await connection.fetchrow(_SQL["look"])
    except asyncpg.UndefinedTableError as error:
        raise NeedsRebuild(f"a table is lost ({error})") from error
    if row is None:
        raise NeedsRebuild(NONE_IS_LIVE)
    if not row["whole"]:
        raise NeedsRebuild("the tables batch, file_metadata, request and unindexed are not all there")
    return Epoch(row["id"], row["fold_version"])
