import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from starlette.datastructures import Headers

from quire_runtime.auth import EVERYBODY, Authenticator, AuthUnavailable, Principal, Unauthenticated
from quire_runtime.settings import AuthSettings

SECRET = "0123456789abcdef0123456789abcdef"
HS256 = AuthSettings(mode="jwt", secret=SECRET)


def claims(**changes: Any) -> dict[str, Any]:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    return {"sub": "ann", "exp": soon, "scope": "quire:read quire:write", "collections": ["invoices", "team-*"]} | changes


def token(**changes: Any) -> str:
    return jwt.encode(claims(**changes), SECRET)


async def test_without_access_control_everybody_may_do_everything():
    principal = await Authenticator(AuthSettings()).of_token(None)
    assert principal is EVERYBODY
    assert principal.may_read("any")
    assert principal.may_write("any")


async def test_a_token_says_who_and_which_collections():
    principal = await Authenticator(HS256).of_headers(Headers({"Authorization": f"Bearer {token()}"}))
    assert principal.subject == "ann"
    assert principal.may_read("invoices")
    assert principal.may_write("team-a")
    assert not principal.may_read("invoices-2")
    assert principal.expires_at is not None


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("quire:read", "read follow"), (["quire:write"], "write follow"), ("", ""), ("other", "")],
)
async def test_who_may_write_may_see_where_a_batch_stands(scope: Any, allowed: str):
    principal = await Authenticator(HS256).of_token(token(scope=scope))
    may = {"read": principal.may_read, "write": principal.may_write, "follow": principal.may_follow}
    assert {name for name, ask in may.items() if ask("invoices")} == set(allowed.split())


def test_a_token_without_collections_opens_none():
    assert not Principal("ann", can_read=True, can_write=True, collections=(), expires_at=None).may_read("default")


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "nonsense",
        "x" * 20_000,
        token(exp=datetime.now(UTC) - timedelta(minutes=1)),
        jwt.encode({key: value for key, value in claims().items() if key != "exp"}, SECRET),
        jwt.encode(claims(), "another secret of thirty-two bytes"),
        jwt.encode(claims(), None, algorithm="none"),
        jwt.encode(claims(), SECRET * 2, algorithm="HS512"),
        token(collections={"a": 1}),
        token(scope=7),
        token(nbf=datetime.now(UTC) + timedelta(hours=1)),
    ],
)
async def test_a_token_that_will_not_do_is_refused(bad: str | None):
    with pytest.raises(Unauthenticated) as caught:
        await Authenticator(HS256).of_token(bad)
    answer = caught.value.response()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_another_scheme_than_bearer_is_refused():
    with pytest.raises(Unauthenticated):
        await Authenticator(HS256).of_headers(Headers({"authorization": f"Basic {token()}"}))


async def test_audience_and_issuer_are_looked_at_when_set():
    strict = Authenticator(AuthSettings(mode="jwt", secret=SECRET, audience="quire", issuer="idp"))
    assert (await strict.of_token(token(aud="quire", iss="idp"))).subject == "ann"
    for wrong in (token(), token(aud="other", iss="idp"), token(aud="quire", iss="other")):
        with pytest.raises(Unauthenticated):
            await strict.of_token(wrong)
    assert (await Authenticator(HS256).of_token(token(aud="whatever"))).subject == "ann"


KEYS = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("algorithm", list(KEYS))
async def test_a_public_key_file_checks_tokens(algorithm: str, tmp_path: Path):
    pem = KEYS[algorithm].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    file = tmp_path / "key.pem"
    file.write_bytes(pem)
    authenticator = Authenticator(AuthSettings(mode="jwt", key_file=file))
    assert (await authenticator.of_token(jwt.encode(claims(), KEYS[algorithm], algorithm))).subject == "ann"
    with pytest.raises(Unauthenticated):  # the public key is no shared secret
        await authenticator.of_token(token())
    others = [name for name in KEYS if name != algorithm]
    with pytest.raises(Unauthenticated):
        await authenticator.of_token(jwt.encode(claims(), KEYS[others[0]], others[0]))


@pytest.fixture
def jwks() -> Iterator[str]:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEYS["RS256"].public_key())) | {"kid": "1", "use": "sig", "alg": "RS256"}

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"keys": [key]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/jwks"
        server.shutdown()
        thread.join()


async def test_a_key_set_checks_tokens_and_goes_on_doing_so_when_it_is_away(jwks: str):
    authenticator = Authenticator(AuthSettings(mode="jwt", jwks_url=jwks))
    good = jwt.encode(claims(), KEYS["RS256"], "RS256", headers={"kid": "1"})
    assert (await authenticator.of_token(good)).subject == "ann"
    unknown = jwt.encode(claims(), KEYS["RS256"], "RS256", headers={"kid": "2"})
    with pytest.raises(Unauthenticated):
        await authenticator.of_token(unknown)
    assert (await authenticator.of_token(good)).subject == "ann"


async def test_a_key_set_that_cannot_be_fetched_is_our_problem_not_the_callers():
    authenticator = Authenticator(AuthSettings(mode="jwt", jwks_url="http://127.0.0.1:9/jwks"))
    with pytest.raises(AuthUnavailable):
        await authenticator.of_token(jwt.encode(claims(), KEYS["RS256"], "RS256", headers={"kid": "1"}))
