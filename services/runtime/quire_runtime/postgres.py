"""Postgres: connections and pools, and which errors are transient. Migrations are in `migrations`."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from quire_runtime.errors import CannotServe
from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_runtime.settings import PostgresSettings

log = get_logger(__name__)
T = TypeVar("T")

CONNECT_SECONDS = 10.0
_LOOKS = 8
"""How often two clients compare the processes that serve them. In a large pool, each may get its
own process again by chance.
"""
_TRANSIENT: tuple[type[Exception], ...] = (
    OSError,  # refused, reset, timed out (a TimeoutError is an OSError)
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.OperatorInterventionError,  # class 57: shutdown, starting up, statement cancelled by a timeout
    asyncpg.InsufficientResourcesError,  # class 53: too many connections, disk full, out of memory
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is about to be promoted
    asyncpg.InternalClientError,  # may be raised for a statement on a connection that is just being lost
)
_NO_TRANSACTIONS = "transaction blocks not allowed"
"""PgBouncer's message, before it closes the connection, when it pools statements."""
_LOST = ("connection is closed", "closed in the middle of operation", "has been released back to the pool")
"""asyncpg's messages for a connection that was lost before, during and just after a statement."""


_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: user, password, pg_hba.conf
    asyncpg.InvalidCatalogNameError,  # no such database
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InterfaceError,  # the URL asks for something that asyncpg does not know or cannot do
)


class DatabaseRefuses(CannotServe):
    """Postgres answers, but does not let us in or refuses what we need. Correct QUIRE_POSTGRES_DSN, or grant the right that is
    named. A role that may make no tables needs QUIRE_PREPARE=false.
    """

    def __init__(self, address: str, error: Exception) -> None:
        cure = "Correct QUIRE_POSTGRES_DSN"
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            cure = "Grant that right; or let an owner run `prepare`, and set QUIRE_PREPARE=false for this role"
        super().__init__(f"Postgres at {address} refuses: {' '.join(str(error).split())}. {cure}")


class SessionsShared(CannotServe):
    """A pooler shares sessions: it pools transactions or statements. Prepared statements, LISTEN and locks need a session of
    their own. Set pool_mode = session, or QUIRE_POSTGRES_DSN to Postgres itself.
    """

    def __init__(self) -> None:
        super().__init__(
            "Postgres is behind a pooler that does not pool sessions; prepared statements, LISTEN and advisory locks need them. "
            "Set pool_mode = session (PgBouncer's word for it), or QUIRE_POSTGRES_DSN to Postgres itself"
        )


def is_transient(error: BaseException) -> bool:
    """Returns whether the same statement may succeed later without a change: the server is away or full, or transactions
    conflict.
    """
    if isinstance(error, asyncpg.InterfaceError):  # also raised for wrong use, which does not pass by itself
        return any(sentence in str(error) for sentence in _LOST)
    return isinstance(error, _TRANSIENT)


async def connect_pool(
    settings: PostgresSettings,
    schema: str,
    *,
    application: str | None = None,
    give_up_after: float | None = None,
    size: int | None = None,
) -> asyncpg.Pool:
    """Returns a pool whose connections find the schema's tables without a prefix and use UTC. Waits while Postgres is away, for
    `give_up_after` seconds at most (None: for ever). JSON columns come as text, because msgspec decodes all JSON. `size` is the
    most connections (None: as the settings say).
    """

    async def enter(connection: asyncpg.Connection) -> None:
        await connection.execute(f"SET search_path = {quote(schema)}")

    async def connect() -> asyncpg.Pool:
        return await asyncpg.create_pool(
            settings.dsn,
            min_size=1,
            max_size=size or settings.pool_size,
            timeout=CONNECT_SECONDS,
            command_timeout=settings.command_timeout_seconds,
            server_settings=session(application or f"quire-{schema}"),
            init=enter,
            reset=_left_as_it_is,
        )

    return await patiently(connect, settings.dsn, give_up_after)


async def _left_as_it_is(_connection: asyncpg.Connection) -> None:
    """Does nothing. The users of the pool do not change sessions, and asyncpg itself ends a transaction that was left open. The
    statements of asyncpg's default reset would cost as much as a small insert each time.
    """


async def check(pool: asyncpg.Pool) -> None:
    """Raises unless Postgres answers now."""
    await pool.fetchval("SELECT 1")


async def patiently(
    fn: Callable[[], Awaitable[T]], dsn: str, give_up_after: float | None, *, also: tuple[type[Exception], ...] = ()
) -> T:
    """Returns the result of `fn`, which is tried again while Postgres is away and after the exceptions `also`. After
    `give_up_after` seconds (None: never) raises the last exception. Raises DatabaseRefuses at once.
    """
    address = dsn.rpartition("@")[2].partition("/")[0]  # one host or several, never the password

    async def let_in() -> T:
        try:
            return await fn()
        except _REFUSALS as error:
            if is_transient(error):
                raise
            raise DatabaseRefuses(address, error) from error

    return await retrying(
        let_in,
        transient=lambda error: is_transient(error) or isinstance(error, also),
        give_up_after=give_up_after,
        on_retry=lambda error, attempt: log.warning(
            "waiting for postgres", address=address, error=str(error) or repr(error), attempt=attempt
        ),
    )


def session(application: str) -> dict[str, str]:
    """Returns the options that a connection starts with: only those that poolers accept, so the
    search path is set afterwards.
    """
    return {"application_name": application, "timezone": "UTC"}


async def connect_one(dsn: str, schema: str) -> asyncpg.Connection:
    """Returns a connection that finds the schema's tables without a prefix and uses UTC. Raises SessionsShared, and asyncpg's
    errors.
    """
    connection = await _open(dsn, schema)
    try:
        await _require_own_session(connection, lambda: _open(dsn, schema))
        await connection.execute(f"SET search_path = {quote(schema)}")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _open(dsn: str, schema: str) -> asyncpg.Connection:
    options = session(f"quire-{schema}")
    return await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings=options, statement_cache_size=0)


async def _require_own_session(mine: asyncpg.Connection, another: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
    """Raises SessionsShared if sessions are shared. Only a pooler reports process ids that are not Postgres' own. Only a pooler
    of transactions lets two clients have the same process at a time, or one client have two processes.
    """
    if await _process_of(mine) == mine.get_server_pid():
        return
    other = await another()
    try:
        met = [(await _process_of(mine), await _process_of(other)) for _ in range(_LOOKS)]
    finally:
        await other.close()
    if len({process for process, _ in met}) + len({process for _, process in met}) > 2 or met[0][0] == met[0][1]:
        raise SessionsShared


async def _process_of(connection: asyncpg.Connection) -> int:
    try:
        # Where sessions are shared, even the preparation of a statement may be lost between two statements.
        async with connection.transaction():
            return int(await connection.fetchval("SELECT pg_backend_pid()"))
    except asyncpg.ConnectionDoesNotExistError as error:
        if _NO_TRANSACTIONS in str(error):
            raise SessionsShared from error
        raise


def quote(identifier: str) -> str:
    """Returns any text as a quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'
