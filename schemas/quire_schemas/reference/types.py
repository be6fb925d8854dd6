"""Writes JSON Schemas as HTML in words: the type of a field, the fields of a struct."""

import json
from typing import Any

from quire_schemas.json_schemas import Schema
from quire_schemas.reference.html import code, fields, heading, link, prose, tag

_BOUNDS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minLength", "{} characters at least"),
    ("maxLength", "{} characters at most"),
    ("minItems", "{} items at least"),
    ("maxItems", "{} items at most"),
)
_MOST_TOLD = 2**53
"""Bounds from here on are left out: no value comes near them."""


def anchor_of(reference: str) -> str:
    """Returns the anchor of the schema on the page."""
    return f"schema-{reference.rpartition('/')[2]}"


def type_of(schema: Schema) -> str:
    """Returns the type of a field as HTML, with links to structs."""
    match schema:
        case {"$ref": reference}:
            told = link(f"#{anchor_of(reference)}", reference.rpartition("/")[2].strip("_").replace("Page_", "Page of "))
        case {"const": value}:
            told = code(str(value))
        case {"enum": values}:
            told = ", ".join(code(str(value)) for value in values)
        case {"anyOf": some}:
            told = " or ".join(type_of(one) for one in some)
        case {"type": "array", "prefixItems": items}:
            told = f"({', '.join(type_of(item) for item in items)})"
        case {"type": "array", "items": items}:
            told = f"list of {type_of(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            told = f"object of {type_of(values)}"
        case _:
            told = str(schema.get("format") or schema.get("type", "anything"))
    return told


def bounds_of(schema: Schema) -> str:
    """Returns the bounds of a value in words. A pattern replaces the lengths, which it includes. A description replaces the
    pattern, as it is clearer.
    """
    if "pattern" in schema:
        return "" if "description" in schema else f"matches {code(schema['pattern'])}"
    found = [text.format(f"{schema[key]:,}") for key, text in _BOUNDS if key in schema and abs(schema[key]) < _MOST_TOLD - 1]
    return ", ".join(found)


def field(schema: Schema, *, required: bool, description: str = "") -> str:
    """Returns HTML with a field's type, whether it is optional, its bounds and its description."""
    default = schema.get("default")
    left_out = "" if required else " · optional" if default in (None, [], {}) else f" · optional, {code(_text(default))}"
    bounds = bounds_of(schema)
    told = prose(description or schema.get("description", ""))
    return tag("span", type_of(schema) + left_out + (f" · {bounds}" if bounds else ""), class_="type") + (
        tag("p", told) if told else ""
    )


def struct(schema: Schema) -> str:
    """Returns HTML with the fields of a struct, one below the other."""
    required = schema.get("required", ())
    return fields((code(name), field(of, required=name in required)) for name, of in schema.get("properties", {}).items())


def schemas(definitions: dict[str, Schema]) -> str:
    """Returns HTML with a section for every struct that the page refers to."""
    return "\n".join(
        tag(
            "section",
            heading(3, anchor_of(name), code(name)) + tag("p", prose(schema.get("description", ""))) + struct(schema),
        )
        for name, schema in definitions.items()
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
