"""Finds environment variables that look like a setting of Quire and are none: mostly typing errors."""

import difflib
from collections.abc import Collection, Iterable

_ALIKE = 0.75
"""How much two names must have in common, from 0 to 1, for one to be a misspelt other."""

OF_CLIENTS = ("QUIRE_URL", "QUIRE_TOKEN", "QUIRE_NOTIFIER_URL", "QUIRE_INGEST_URL", "QUIRE_CACHE_DIR")
"""Environment variables that the clients read, the command `quire` among them."""


def unknown_settings(given: Iterable[str], known: Collection[str], *, nobody: str = "there is no such setting") -> list[str]:
    """Returns a sentence for each variable of `given` that begins with QUIRE_ and that neither `known` nor OF_CLIENTS has, with
    the name that is meant. `nobody` says who does not have it.
    """
    names = {*known, *OF_CLIENTS}
    return [
        _sentence(name, names, nobody)
        for name in sorted(given)
        if name.startswith("QUIRE_") and not {name, name.removesuffix("_FILE")} & names
    ]


def _sentence(name: str, names: Collection[str], nobody: str) -> str:
    plain = name.removesuffix("_FILE")
    if now := {f"{plain}_SECONDS", f"{plain}ECONDS", f"{plain}ECOND"} & {*names}:
        return f"{plain}: it is called {now.pop()} now. The former name is still understood."
    own_part = {known.removeprefix("QUIRE_"): known for known in names}
    near = difflib.get_close_matches(plain.removeprefix("QUIRE_"), own_part, 1, _ALIKE)
    return f"{name}: {nobody}. {f'Is {own_part[near[0]]} meant?' if near else 'Nothing is called like it.'}"
