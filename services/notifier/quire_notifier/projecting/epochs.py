"""Epochs: one folding of the log each, of which exactly one is live (docs/design.md, "Epochs")."""

from typing import NamedTuple

import asyncpg

from quire_runtime.postgres import is_transient
from quire_runtime.statements import statements
from quire_schemas.batch import FOLD_VERSION

SCHEMA = "notifier"
_SQL = statements("quire_notifier.projecting", "epochs")

NONE_IS_LIVE = "there is no live epoch"
"""Switching is one transaction: so it is only where all tables were lost, until the first rebuild is through."""

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


class NeedsRebuild(Exception):
    """The tables cannot be carried on from the log as they are. `quire rebuild` makes them anew, while everything runs."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. Run `quire rebuild`")


class Outdated(Exception):
    """The live epoch was folded by an older version. `renewal` carries it on, or builds a new one beside it."""

    def __init__(self) -> None:
        super().__init__("the tables of this version are being built beside those of an older one")


class Superseded(Exception):
    """The live epoch was folded by a newer version: notifiers of that one project. This one serves what they have projected."""


def passes(error: BaseException) -> bool:
    """Whether to wait helps: Postgres is away, or the tables are lost until `quire rebuild` has made them again."""
    return is_transient(error) or isinstance(error, asyncpg.UndefinedTableError | NeedsRebuild)


class Epoch(NamedTuple):
    """A projection of the whole log under one meaning of events."""

    id: str
    fold_version: int

    def check(self) -> None:
        """Raises Outdated or Superseded when it is of another version of the fold than ours."""
        if self.fold_version < FOLD_VERSION:
            raise Outdated
        if self.fold_version > FOLD_VERSION:
            raise Superseded


async def ensure_epoch(pool: asyncpg.Pool) -> None:
    """Makes the first epoch where there is none."""
    await pool.execute(_SQL["first"], FOLD_VERSION)


async def check_tables(pool: asyncpg.Pool) -> None:
    """Raises unless Postgres answers now and has the live epoch's tables."""
    await live_epoch(pool)


async def live_epoch(connection: Connection | asyncpg.Pool) -> Epoch:
    """The live epoch; raises NeedsRebuild when its tables are lost."""
    try:
        row = await connection.fetchrow(_SQL["look"])
    except asyncpg.UndefinedTableError as error:
        raise NeedsRebuild(f"a table is lost ({error})") from error
    if row is None:
        raise NeedsRebuild(NONE_IS_LIVE)
    if not row["whole"]:
        raise NeedsRebuild("the tables batch, file_metadata, request and unindexed are not all there")
    return Epoch(row["id"], row["fold_version"])
