"""`python -m quire_<service> prepare`: makes topic, bucket and tables, so that the services themselves do not need the rights
to.
"""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg
from msgspec import Struct, structs

from quire_runtime import logs
from quire_runtime.command import Command
from quire_runtime.errors import CannotServe
from quire_runtime.kafka import LogUnavailable
from quire_runtime.storage import StorageUnavailable

WITHIN_SECONDS = 300.0


S = TypeVar("S", bound=Struct)
Prepare = Callable[[S, float], Awaitable[None]]


def prepare_command(service: str, prepare: Prepare[S]) -> Command[S]:
    """Returns the command. It calls `prepare(settings, give_up_after)` with the right to make what is missing, whatever
    QUIRE_PREPARE says. The exit code is 0 when everything exists, 2 when a server did not answer in time or refused.
    """

    async def command(settings: Any, argv: Sequence[str]) -> int:
        parser = argparse.ArgumentParser("prepare", description="Make topic, bucket and tables where they are missing.")
        parser.add_argument(
            "--within", type=float, default=WITHIN_SECONDS, metavar="SECONDS", help="how long to wait for servers"
        )
        options = parser.parse_args(argv)
        logs.setup(settings.log, service)
        try:
            await prepare(making(settings), options.within)
        except CannotServe:
            raise
        except (LogUnavailable, StorageUnavailable, OSError, asyncpg.PostgresError) as error:
            raise CannotServe(f"prepare: {error or type(error).__name__}. Try again when it answers") from error
        return 0

    return command


def making(settings: Any) -> Any:
    """Returns the settings with `prepare.make` set, whatever QUIRE_PREPARE says."""
    return structs.replace(settings, prepare=structs.replace(settings.prepare, make=True))
