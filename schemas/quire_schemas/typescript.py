"""Makes the TypeScript types of messages and HTTP answers: `clients/js/contract.d.ts`, which `python -m quire_schemas.generate`
writes.

Structs become interfaces by way of their JSON Schema. A field that may be left out of a message has a question mark. In an HTTP
answer, fields with a default are never left out: the defaults are for readers of older answers.
"""

from typing import Any, get_args

from msgspec import Struct

from quire_schemas import messages, views
from quire_schemas.json_schemas import CLIENT_MESSAGES, SERVER_MESSAGES, Schema, components

HEAD = "// Made by `python -m quire_schemas.generate` from the structs of quire_schemas; never edited.\n"
VIEWS: tuple[type[Struct], ...] = (
    views.Config,
    views.Accepted,
    views.CommandAccepted,
    views.RequestCommandAccepted,
    views.CollectionView,
    views.RequestView,
    views.FailureView,
    views.BatchView,
    views.FileView,
)
REFERENCE = "#/{name}"


def document() -> str:
    """Returns the text of the module: interfaces in the order of their names, then the unions of messages."""
    structs = [*VIEWS, *CLIENT_MESSAGES.values(), *SERVER_MESSAGES.values()]
    _, definitions = components(structs, REFERENCE)
    whole = {name for name in definitions if hasattr(views, name)}
    interfaces = [_interface(name, schema, whole=name in whole) for name, schema in definitions.items()]
    return "\n".join(
        [HEAD, *interfaces, _union("AnyFeedMessage", messages.AnyFeedMessage), _union("Message", messages.ServerMessage)]
    )


def _interface(name: str, schema: Schema, *, whole: bool) -> str:
    required = set(schema.get("required", ()))
    fields = []
    for field, of in schema["properties"].items():
        optional = field not in required and not (whole and "default" in of)
        fields.append(f"  {field}{'?' if optional else ''}: {_type(of)};\n")
    words = schema.get("description", "").replace("*/", "* /")
    comment = "".join(f" * {line}".rstrip() + "\n" for line in words.splitlines())
    return f"/**\n{comment} */\nexport interface {name} {{\n{''.join(fields)}}}\n"


def _type(schema: Schema) -> str:
    match schema:
        case {"$ref": reference}:
            return str(reference).removeprefix(REFERENCE.format(name=""))
        case {"enum": values}:
            return " | ".join(f'"{value}"' for value in values)
        case {"anyOf": some}:
            return " | ".join(map(_type, some))
        case {"type": "array", "prefixItems": items}:
            return f"readonly [{', '.join(map(_type, items))}]"
        case {"type": "array", "items": items}:
            return f"readonly ({_type(items)})[]"
        case {"type": kind}:
            return {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}[kind]
    raise TypeError(f"TypeScript has no word here for {schema}")


def _union(name: str, of: Any) -> str:
    return f"export type {name} = {' | '.join(struct.__name__ for struct in get_args(of))};\n"
