"""Authentication and access rights: by bearer tokens (JWT), or with all rights for everybody (docs/design.md, "Access")."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from quire_runtime.http import Problem
from quire_runtime.jwks import KeysAway, KeySet
from quire_runtime.settings import AuthSettings

READ = "quire:read"
WRITE = "quire:write"
MAX_TOKEN_BYTES = 16_384


class Unauthenticated(Problem):
    """Send a valid token: `Authorization: Bearer …`."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="quire"'})


class Forbidden(Problem):
    """The token is valid, but does not allow this request."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, "forbidden", detail)


class AuthUnavailable(Problem):
    """The keys that tokens are checked against cannot be fetched. Try again in a while."""

    def __init__(self, detail: str) -> None:
        super().__init__(503, "auth_unavailable", detail, headers={"Retry-After": "5"})


@dataclass(frozen=True, slots=True)
class Principal:
    """The subject of a token and its rights. `collections` holds names, and prefixes that end in `*`. `expires_at` is None when
    the rights do not expire.
    """

    subject: str
    can_read: bool
    can_write: bool
    collections: tuple[str, ...]
    expires_at: datetime | None

    def may_read(self, collection: str) -> bool:
        return self.can_read and self._covers(collection)

    def may_write(self, collection: str) -> bool:
        return self.can_write and self._covers(collection)

    def may_follow(self, collection: str) -> bool:
        """Returns whether the principal may read the state of batches. The right to read or to write is enough."""
        return (self.can_read or self.can_write) and self._covers(collection)

    def _covers(self, collection: str) -> bool:
        return any(collection.startswith(name[:-1]) if name.endswith("*") else collection == name for name in self.collections)


EVERYBODY = Principal("everybody", can_read=True, can_write=True, collections=("*",), expires_at=None)


class Authenticator:
    """Turns a token into a Principal. In mode `none`, every caller is EVERYBODY. Must be closed with `aclose`."""

    def __init__(self, settings: AuthSettings) -> None:
        """Reads the key file if one is set; raises OSError."""
        self._settings = settings
        self._key = settings.secret if settings.key_file is None else settings.key_file.read_text(encoding="utf-8")
        self._keys = None if settings.jwks_url is None else KeySet(settings.jwks_url, keep=settings.jwks_keep_seconds)

    async def aclose(self) -> None:
        if self._keys is not None:
            await self._keys.aclose()

    async def of_headers(self, headers: Mapping[str, str]) -> Principal:
        """Returns the principal of an HTTP request's `Authorization` header. The mapping must ignore case, as Starlette's does.
        Raises Unauthenticated or AuthUnavailable.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return await self.of_token(token.strip() if scheme.lower() == "bearer" else None)

    async def of_token(self, token: str | None) -> Principal:
        """Returns the principal of a token. Raises Unauthenticated, or AuthUnavailable when the key set cannot be fetched."""
        if self._settings.mode == "none":
            return EVERYBODY
        if not token:
            raise Unauthenticated("a token is needed: send Authorization: Bearer …")
        if len(token) > MAX_TOKEN_BYTES:
            raise Unauthenticated(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
        try:
            return _principal(self._verified(token, await self._signing_key(token)))
        except KeysAway as error:
            raise AuthUnavailable("the key set cannot be fetched now; try again") from error
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError) as error:
            raise Unauthenticated(f"the token is not valid: {error}") from error

    def _verified(self, token: str, key: Any) -> dict[str, Any]:
        settings = self._settings
        return jwt.decode(
            token,
            key,
            algorithms=list(settings.accepted),
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=settings.leeway_seconds,
            options={"require": ["exp"], "verify_aud": settings.audience is not None},
        )

    async def _signing_key(self, token: str) -> Any:
        """Returns the key that a token must be signed with. Raises KeysAway, and jwt.InvalidTokenError when the token names no
        key of the set.
        """
        if self._keys is None:
            return self._key
        kid = jwt.get_unverified_header(token).get("kid")
        key = None if kid is None else await self._keys.key(kid)
        if key is None:
            raise jwt.InvalidTokenError("it is signed with none of the keys of the key set")
        return key


def _principal(claims: Mapping[str, Any]) -> Principal:
    scopes = _words(claims, "scope")
    return Principal(
        subject=str(claims.get("sub", "")),
        can_read=READ in scopes,
        can_write=WRITE in scopes,
        collections=tuple(_words(claims, "collections")),
        expires_at=datetime.fromtimestamp(float(claims["exp"]), UTC),
    )


def _words(claims: Mapping[str, Any], name: str) -> list[str]:
    """Returns the words of a claim: a list of strings, or one string with spaces. A missing claim has no words."""
    value = claims.get(name, [])
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"the claim {name} is neither a list of names nor a text")
    return words
