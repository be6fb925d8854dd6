"""What would break a reader or writer of the released version: anything but a new optional field."""

from typing import Any

PROSE = {"description", "title", "examples", "$id"}


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Where the new schema differs from the old one by more than optional fields and prose."""
    return [*_differences("", old, new), *_definitions(old.get("$defs", {}), new.get("$defs", {}))]


def _definitions(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    gone = [f"{name} is gone" for name in old.keys() - new.keys()]
    return [*gone, *(line for name in old.keys() & new.keys() for line in _differences(name, old[name], new[name]))]


def _differences(where: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = [f"{where}.{name} is gone" for name in _fields(old) - _fields(new)]
    found += [f"{where}.{name} is required now" for name in _required(new) - _required(old)]
    found += [f"{where}.{name} is not required any more" for name in _required(old) - _required(new)]
    for name in _fields(old) & _fields(new):
        if _meaning(old["properties"][name]) != _meaning(new["properties"][name]):
            found.append(f"{where}.{name} means something else")
    if _meaning(_frame(old)) != _meaning(_frame(new)):
        found.append(f"{where} is something else")
    return found


def _fields(schema: dict[str, Any]) -> set[str]:
    return set(schema.get("properties", {}))


def _required(schema: dict[str, Any]) -> set[str]:
    return set(schema.get("required", []))


def _frame(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in {"properties", "required", "$defs"}}


def _meaning(schema: Any) -> Any:
    """The schema without its prose."""
    if isinstance(schema, dict):
        return {key: _meaning(value) for key, value in schema.items() if key not in PROSE}
    return [_meaning(value) for value in schema] if isinstance(schema, list) else schema
