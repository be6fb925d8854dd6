"""The key set of an identity provider that hangs, fails, or answers nonsense: who has a known key notices nothing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from quire_runtime import jwks
from quire_runtime.auth import Authenticator, AuthUnavailable, Unauthenticated
from quire_runtime.jwks import KeysAway, KeySet
from quire_runtime.settings import AuthSettings

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWK = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
LONG = 3_600.0


class Provider:
    """An identity provider: `kids` are those of its keys; while `silent` it takes requests and answers none."""

    def __init__(self) -> None:
        self.kids = ["1"]
        self.status = "200 OK"
        self.body: str | None = None
        self.asked = 0
        self.silent = False
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            if self.silent:
                await reader.read()  # until the other side gives up
                return
            body = self.body or json.dumps({"keys": [JWK | {"kid": kid, "use": "sig", "alg": "RS256"} for kid in self.kids]})
            writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            await writer.drain()
        finally:
            writer.close()

    def authenticator(self) -> Authenticator:
        return Authenticator(AuthSettings(mode="jwt", jwks_url=self.url))


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    one = Provider()
    async with await asyncio.start_server(one.answer, "127.0.0.1", 0) as server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
        yield one


@asynccontextmanager
async def closing(owner: Any) -> AsyncIterator[Any]:
    try:
        yield owner
    finally:
        await owner.aclose()


def token(kid: str = "1") -> str:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    return jwt.encode({"sub": "ann", "exp": soon}, KEY, "RS256", headers={"kid": kid})


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def failing(work: Awaitable[object]) -> type[BaseException] | None:
    try:
        await work
    except (AuthUnavailable, Unauthenticated) as error:
        return type(error)
    return None


async def test_while_the_provider_hangs_known_keys_serve_and_nothing_else_waits() -> None:
    async with provider() as idp, closing(idp.authenticator()) as authenticator:
        await authenticator.of_token(token())
        idp.silent = True
        authenticator._keys._next_at = 0.0  # the pause after a fetch is over
        strangers = [asyncio.create_task(failing(authenticator.of_token(token(f"x{n}")))) for n in range(50)]
        await until(lambda: idp.asked == 2)
        for _ in range(50):
            assert (await authenticator.of_token(token())).subject == "ann"
        await asyncio.gather(*(asyncio.to_thread(os.getpid) for _ in range(50)))  # the default executor is nobody's
        assert not any(stranger.done() for stranger in strangers)
        assert idp.asked == 2


async def test_all_who_wait_for_a_key_share_one_fetch() -> None:
    async with provider() as idp, closing(idp.authenticator()) as authenticator:
        principals = await asyncio.gather(*(authenticator.of_token(token()) for _ in range(100)))
        assert {principal.subject for principal in principals} == {"ann"}
        assert idp.asked == 1


async def test_one_who_leaves_while_waiting_takes_the_key_from_nobody() -> None:
    async with provider() as idp, closing(KeySet(idp.url, keep=LONG)) as keys:
        first, second = asyncio.create_task(keys.key("1")), asyncio.create_task(keys.key("1"))
        await until(lambda: idp.asked == 1 or second.done())
        first.cancel()
        assert await second is not None


async def test_after_a_failure_nobody_fetches_for_a_while_and_the_answer_comes_at_once() -> None:
    async with provider() as idp, closing(idp.authenticator()) as authenticator:
        idp.status = "500 Oh"
        for _ in range(20):
            assert await failing(authenticator.of_token(token())) is AuthUnavailable
        assert idp.asked == 1
        idp.status = "200 OK"
        authenticator._keys._next_at = 0.0
        assert (await authenticator.of_token(token())).subject == "ann"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("500 Oh", ""),
        ("302 Found", '{"keys": []}'),
        ("200 OK", "<html>"),
        ("200 OK", '{"keys": []}'),
        ("200 OK", "[1]"),
        ("200 OK", json.dumps({"keys": [JWK | {"kid": "1", "use": "enc"}]})),
    ],
)
async def test_keys_outlive_what_is_no_key_set(status: str, body: str) -> None:
    async with provider() as idp, closing(KeySet(idp.url, keep=LONG, fresh=0.0, unknown=0.0)) as keys:
        assert await keys.key("1") is not None
        idp.status, idp.body = status, body
        assert await keys.key("1") is not None  # old: it serves, and is asked for again
        await until(lambda: keys._failing)
        assert await keys.key("1") is not None
        with pytest.raises(KeysAway):  # it may be a new one: who knows
            await keys.key("2")


async def test_old_keys_are_fetched_again_and_a_withdrawn_one_serves_no_more() -> None:
    async with provider() as idp, closing(KeySet(idp.url, keep=LONG, fresh=0.0, unknown=0.0)) as keys:
        assert await keys.key("1") is not None
        idp.kids = ["2"]
        async with asyncio.timeout(20):
            while await keys.key("1") is not None:
                await asyncio.sleep(0.01)
        assert await keys.key("2") is not None


async def test_keys_do_not_serve_for_ever_without_their_provider() -> None:
    async with provider() as idp, closing(KeySet(idp.url, keep=0.2)) as keys:
        assert await keys.key("1") is not None
        idp.status = "503 Away"
        keys._next_at = 0.0
        await asyncio.sleep(0.3)
        with pytest.raises(KeysAway):
            await keys.key("1")


async def test_a_provider_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.1)
    async with provider() as idp, closing(KeySet(idp.url, keep=LONG)) as keys:
        idp.silent = True
        with pytest.raises(KeysAway):
            await keys.key("1")


async def test_unknown_key_ids_make_one_fetch_only() -> None:
    async with provider() as idp, closing(idp.authenticator()) as authenticator:
        for kid in ("1", "2", "3", "4"):
            assert await failing(authenticator.of_token(token(kid))) is (None if kid == "1" else Unauthenticated)
        assert idp.asked == 1
