"""Access control over HTTP. A batch or file that the token may not read is a 404, so that not even its existence is disclosed
(docs/design.md, "Access").
"""

from quire_notifier.web.queries import Scope, literal
from quire_runtime.auth import Forbidden, Principal
from quire_runtime.http import Problem
from quire_schemas.fields import COLLECTION


def reader(principal: Principal) -> Principal:
    """Returns the principal. Raises Forbidden unless the token may read at all."""
    if not principal.can_read:
        raise Forbidden("the token lacks the scope quire:read")
    return principal


def readable(principal: Principal, collection_id: str) -> str:
    """Returns the name of the collection. Raises Problem 422 for an invalid name, and Forbidden for a collection that the token
    may not read.
    """
    if not COLLECTION.fullmatch(collection_id):
        detail = "collection_id takes 1 to 128 letters, digits, dots, underscores and hyphens."
        raise Problem(422, "invalid_collection_id", detail)
    if not principal.may_read(collection_id):
        raise Forbidden("the token does not allow to read this collection")
    return collection_id


def scope(principal: Principal, collection_id: str | None) -> Scope:
    """Returns the scope of a list: one collection, or all that the token may read."""
    return Scope(patterns(principal), None if collection_id is None else readable(principal, collection_id))


def patterns(principal: Principal) -> list[str] | None:
    """Returns LIKE patterns of the collections that the token may read, or None if it may read all."""
    if "*" in principal.collections:
        return None
    return [f"{literal(name[:-1])}%" if name.endswith("*") else literal(name) for name in principal.collections]
