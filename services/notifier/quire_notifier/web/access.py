"""Who may read what over HTTP. Another's batch or file is a 404: not even its existence is told (docs/design.md, "Access")."""

from quire_notifier.web.queries import Scope, literal
from quire_runtime.auth import Forbidden, Principal
from quire_runtime.http import Problem
from quire_schemas.events import COLLECTION


def reader(principal: Principal) -> Principal:
    """Raises Forbidden unless the token may read at all."""
    if not principal.can_read:
        raise Forbidden("the token lacks the scope quire:read")
    return principal


def readable(principal: Principal, collection_id: str) -> str:
    """The collection asked for by name. Raises Problem: 422 for what is no name, 403 for another's."""
    if not COLLECTION.fullmatch(collection_id):
        detail = "collection_id takes 1 to 128 letters, digits, dots, underscores and hyphens."
        raise Problem(422, "invalid_collection_id", detail)
    if not principal.may_read(collection_id):
        raise Forbidden("the token does not allow to read this collection")
    return collection_id


def scope(principal: Principal, collection_id: str | None) -> Scope:
    """Where a list looks: in one collection, or in all that the token may read."""
    return Scope(patterns(principal), None if collection_id is None else readable(principal, collection_id))


def patterns(principal: Principal) -> list[str] | None:
    """LIKE patterns of what the token may read; None where that is everything."""
    if "*" in principal.collections:
        return None
    return [f"{literal(name[:-1])}%" if name.endswith("*") else literal(name) for name in principal.collections]
