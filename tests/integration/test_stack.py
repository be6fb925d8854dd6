"""The stack that all other integration tests stand on."""

import asyncpg
import pytest
from tests.integration.stack import Stack

from quire_local.ports import is_free


async def test_each_fresh_backing_has_a_database_of_its_own(stack: Stack) -> None:
    first, second = await stack.fresh(), await stack.fresh()
    connection = await asyncpg.connect(first.postgres)
    try:
        assert await connection.fetchval("SELECT current_database()") in first.postgres
        assert first.postgres != second.postgres
        assert first.topic != second.topic
        assert first.bucket != second.bucket
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["kafka", "postgres", "s3"])
async def test_a_part_comes_back_at_its_address(stack: Stack, name: str) -> None:
    part = getattr(stack, name)
    address = {"kafka": stack.backing.kafka, "postgres": stack.backing.postgres, "s3": stack.backing.s3_endpoint}[name]
    port = int(address.rsplit(":", 1)[1].split("/")[0])
    await part.stop()
    assert is_free(port)
    await part.start()
    await part.wait_ready()
    assert not is_free(port)


async def test_other_accounts_cannot_look_into_the_files_of_the_local_stack(stack: Stack) -> None:
    if stack.kind != "embedded stack":
        pytest.skip("the servers run in containers")
    data = stack.logs.parent
    paths = list(data.rglob("*"))
    assert {path.name for path in paths} >= {"kafka", "s3", "postgres", "kafka.log", "credentials.json"}
    for path in paths:
        above = [parent for parent in path.parents if parent.is_relative_to(data) and parent != data]
        hidden = any(not parent.stat().st_mode & 0o005 for parent in above)
        assert hidden or path.is_dir() or path.name == "lock" or not path.stat().st_mode & 0o004, path
