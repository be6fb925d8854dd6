"""JSON Schemas (2020-12) of the structs, by the name of their type in a record or message."""

from collections.abc import Sequence
from inspect import cleandoc
from typing import Any, get_args

import msgspec
from msgspec import Struct

from quire_schemas.events import TYPES
from quire_schemas.messages import ClientMessage, ServerMessage
from quire_schemas.states import BatchState

Schema = dict[str, Any]

CLIENT_MESSAGES: dict[str, type[Struct]] = {struct.__struct_config__.tag: struct for struct in get_args(ClientMessage)}
SERVER_MESSAGES: dict[str, type[Struct]] = {struct.__struct_config__.tag: struct for struct in get_args(ServerMessage)}


def standalone(name: str, struct: type[Struct]) -> Schema:
    """Returns a schema that refers to no other file. Every reader ignores fields that it does not name."""
    _, definitions = components([struct], "#/$defs/{name}")
    root = definitions.pop(struct.__name__)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:quire:{name}", **root}
    return {**schema, "$defs": definitions} if definitions else schema


def components(structs: Sequence[Any], template: str) -> tuple[list[Schema], dict[str, Schema]]:
    """Returns a schema of each type, and by name the schemas of the structs that they refer to."""
    made = msgspec.json.schema_components(structs, ref_template=template)
    references, definitions = msgspec.json.decode(msgspec.json.encode(made))  # tuples become the lists of JSON
    for definition in definitions.values():
        if "description" in definition:  # a docstring, which Python strips of its indentation from 3.13 on
            definition["description"] = cleandoc(definition["description"])
    return references, dict(sorted(definitions.items()))


def schemas() -> dict[str, Schema]:
    """Returns the schemas of all events and messages, by the names `events/<ce_type>` and `messages/<TYPE>`."""
    events = {f"events/{name}": standalone(name, struct) for name, struct in TYPES.items()}
    messages = {f"messages/{name}": standalone(name, struct) for name, struct in (CLIENT_MESSAGES | SERVER_MESSAGES).items()}
    return events | messages


def stored() -> Schema:
    """Returns the schema of a stored batch state and the types of the events folded into it. It has no descriptions, as they
    may change.
    """
    _, definitions = components([BatchState], "#/$defs/{name}")
    return {"events": list(TYPES), "state": _undescribed(definitions)}


def _undescribed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_undescribed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _undescribed(value) for key, value in schema.items() if key != "description"}
