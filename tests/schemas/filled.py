"""Structs in which every field says something, also those that will be added. Texts with a limit in bytes are as long as they may
be.
"""

from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct, inspect

Filled = TypeVar("Filled", bound=Struct)
TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def filled(struct: type[Filled], **fields: Any) -> Filled:
    """The struct with these fields; the others have a value that is not their default."""
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    others = {field.name: _value(field.type) for field in kind.fields if field.name not in fields}
    return struct(**others, **fields)


def _value(kind: inspect.Type) -> Any:  # noqa: C901, PLR0911 - a line for each kind
    match kind:
        case inspect.Metadata(extra={"max_bytes": most}):
            return '"' * most  # twice as long in JSON
        case inspect.Metadata(type=inner):
            return _value(inner)
        case inspect.UnionType(types=types):
            return _value(next(each for each in types if not isinstance(each, inspect.NoneType | inspect.CustomType)))
        case inspect.LiteralType(values=values):
            return values[-1]
        case inspect.VarTupleType(item_type=item):
            return (_value(item),)
        case inspect.ListType(item_type=item):
            return [_value(item)]
        case inspect.DictType(key_type=key, value_type=value):
            return {_value(key): _value(value)}
        case inspect.StructType(cls=cls):
            return filled(cls)
        case inspect.StrType():
            return "text"
        case inspect.IntType():
            return 7
        case inspect.BoolType():
            return True
        case inspect.DateTimeType():
            return TIME
    raise AssertionError(f"there is no example of {kind}")
