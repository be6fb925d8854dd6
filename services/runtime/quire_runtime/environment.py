"""Reads a frozen msgspec struct from environment variables, and reports all problems at once, each with its cure.

Field `foo` is read from `QUIRE_FOO`. A field `kafka` whose type is a struct is the prefix `QUIRE_KAFKA_`. Instead of any
`QUIRE_X`, `QUIRE_X_FILE` may name a file that holds the value (a mounted secret). A variable that is set to nothing counts as
not set. `QUIRE_X_SECONDS` is also read by its former names, `QUIRE_X_S` and `QUIRE_X`.
"""

import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar, Union, cast, get_args, get_origin, runtime_checkable

import msgspec

PREFIX = "QUIRE"
REDACTED = "••••••"
_SPOKEN: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}

S = TypeVar("S", bound=msgspec.Struct)


class SettingsError(ValueError):
    """The settings are invalid. `problems` holds one sentence for each variable, with the cure."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SettingDescription(NamedTuple):
    """One environment variable of a service. `default` is None when a value is required."""

    env: str
    type: str
    default: str | None
    description: str
    secret: bool


@runtime_checkable
class Checked(Protocol):
    """A settings struct with checks beyond its fields' types. `problems` returns sentences that name variables, or none when
    all is well.
    """

    def problems(self, environ: Mapping[str, str]) -> list[str]: ...


class _Field(NamedTuple):
    """A setting: its place in the struct, and the variable that it is read from."""

    name: str
    env: str
    type: Any
    default: object
    description: str
    secret: bool


def load(cls: type[S], environ: Mapping[str, str]) -> S:
    """Returns the struct read from `environ`. Raises SettingsError with every problem found."""
    problems: list[str] = []
    settings = _build(cls, None, PREFIX, environ, problems)
    if settings is None:
        raise SettingsError(problems)
    problems = [*_check(settings, environ)]
    if problems:
        raise SettingsError(problems)
    return settings


def describe(cls: type[msgspec.Struct]) -> list[SettingDescription]:
    """Returns every variable that `load` reads for this struct, in the order of its fields."""
    return [
        SettingDescription(
            field.env,
            _speak(field.type),
            None if field.default is msgspec.NODEFAULT else render(field.default, secret=field.secret),
            field.description,
            field.secret,
        )
        for _, field in _leaves(cls, None, PREFIX)
    ]


def values(settings: msgspec.Struct) -> dict[str, str]:
    """Returns the values in force by variable, as text; secrets are redacted."""
    rendered = {}
    for path, field in _leaves(type(settings), None, PREFIX):
        value: object = settings
        for name in path:
            value = getattr(value, name)
        rendered[field.env] = render(value, secret=field.secret)
    return rendered


def render(value: object, *, secret: bool) -> str:
    """Returns a value as one would write it into the variable. A secret that is set becomes dots."""
    if value is None or value == ():
        return ""
    if secret:
        return REDACTED
    if isinstance(value, tuple | list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _build(cls: type[S], base: S | None, prefix: str, environ: Mapping[str, str], problems: list[str]) -> S | None:
    found: dict[str, object] = {}
    before = len(problems)
    for info in msgspec.structs.fields(cls):
        default = _default(info, base)
        if _is_struct(info.type):
            nested = _build(info.type, cast("Any", default), _prefix(info, prefix), environ, problems)
            if nested is not None:
                found[info.name] = nested
            continue
        field = _field(info, default, prefix)
        try:
            found[info.name] = _value(field, environ)
        except ValueError as error:
            problems.append(f"{field.env}: {error}")
    if len(problems) > before:
        return None
    try:
        return cls(**found)
    except ValueError as error:
        problems.append(str(error))
        return None


def _value(field: _Field, environ: Mapping[str, str]) -> object:
    given = {env: text for env in names_of(field.env) if (text := _text(env, environ)) is not None}
    if len(given) > 1:
        raise ValueError(f"it is set more than once, as {' and '.join(given)}. Unset all but {field.env}")
    text = next(iter(given.values()), None)
    if text is None:
        if field.default is msgspec.NODEFAULT:
            raise ValueError(f"it is not set. Set it to {_speak(field.type)}: {field.description}")
        return field.default
    raw: object = [part.strip() for part in text.split(",") if part.strip()] if _is_list(field.type) else text
    try:
        return msgspec.convert(raw, field.type, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        shown = "what is given" if field.secret else repr(text)
        raise ValueError(f"{shown} will not do ({error}). Set it to {_speak(field.type)}: {field.description}") from None


def names_of(env: str) -> tuple[str, ...]:
    """Returns the variables that a setting is read from. A setting in seconds also has its former names."""
    if env.endswith("_SECONDS"):
        return env, env.removesuffix("ECONDS"), env.removesuffix("_SECONDS")
    return (env, env.removesuffix("ECOND")) if env.endswith("_PER_SECOND") else (env,)


def _text(env: str, environ: Mapping[str, str]) -> str | None:
    """Returns the text of the variable, or of the file that it names, or None when neither is set."""
    text, file = environ.get(env) or None, environ.get(f"{env}_FILE") or None
    if file is None:
        return text
    if text is not None:
        raise ValueError(f"both it and {env}_FILE are set. Unset one of them")
    try:
        return Path(file).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"its file {file!r}, named by {env}_FILE, cannot be read ({error}). Correct the path") from None


def _check(settings: msgspec.Struct, environ: Mapping[str, str]) -> Iterator[str]:
    """Yields the problems that the structs' own checks find, inner structs first."""
    for info in msgspec.structs.fields(type(settings)):
        value = getattr(settings, info.name)
        if isinstance(value, msgspec.Struct):
            yield from _check(value, environ)
    if isinstance(settings, Checked):
        yield from settings.problems(environ)


def _leaves(cls: type[msgspec.Struct], base: msgspec.Struct | None, prefix: str) -> Iterator[tuple[tuple[str, ...], _Field]]:
    for info in msgspec.structs.fields(cls):
        default = _default(info, base)
        if _is_struct(info.type):
            for path, field in _leaves(info.type, cast("Any", default), _prefix(info, prefix)):
                yield (info.name, *path), field
        else:
            yield (info.name,), _field(info, default, prefix)


def _default(info: msgspec.structs.FieldInfo, base: msgspec.Struct | None) -> object:
    """Returns the default of a field. In a nested struct, the outer struct's default instance decides."""
    if base is not None:
        return getattr(base, info.name)
    if info.default_factory is not msgspec.NODEFAULT:
        return cast("Callable[[], object]", info.default_factory)()
    if info.default is msgspec.NODEFAULT and _is_struct(info.type):
        return None
    return info.default


def _field(info: msgspec.structs.FieldInfo, default: object, prefix: str) -> _Field:
    meta = _meta(info.type)
    extra = meta.extra or {}
    env = extra.get("env") or f"{prefix}_{info.name.upper()}"
    return _Field(info.name, env, info.type, default, (meta.description or "").strip(), bool(extra.get("secret")))


def _prefix(info: msgspec.structs.FieldInfo, prefix: str) -> str:
    return f"{prefix}_{info.name.upper()}"


def _meta(kind: Any) -> msgspec.Meta:
    """Returns the Meta with the description, wherever it is in the annotation."""
    if get_origin(kind) is Annotated:
        for item in get_args(kind)[1:]:
            if isinstance(item, msgspec.Meta) and (item.description or item.extra):
                return item
    return msgspec.Meta()


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_list(kind: Any) -> bool:
    return get_origin(_bare(kind)) in {tuple, list, frozenset}


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


def _speak(kind: Any) -> str:
    """Returns a type in words that fit after "Set it to"."""
    bare = _bare(kind)
    origin, args = get_origin(bare), get_args(bare)
    if origin is Literal:
        return " or ".join(str(arg) for arg in args)
    if origin in {Union, types.UnionType}:
        return " or ".join(_speak(arg) for arg in args if arg is not types.NoneType)
    if _is_list(kind):
        return f"a comma-separated list of {_speak(args[0])}"
    return _SPOKEN.get(bare, getattr(bare, "__name__", str(bare)))
