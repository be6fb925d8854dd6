"""Finds environment variables that look like a setting of Quire and are none: mostly typing errors."""

import difflib
from collections.abc import Collection, Iterable

OF_CLIENTS = ("QUIRE_URL", "QUIRE_TOKEN", "QUIRE_NOTIFIER_URL", "QUIRE_INGEST_URL", "QUIRE_CACHE_DIR")
"""Environment variables that the clients read, the command `quire` among them."""


def unknown_settings(given: Iterable[str], known: Collection[str]) -> list[str]:
    """Returns a sentence for each variable of `given` that begins with QUIRE_ and that neither `known` nor OF_CLIENTS has, with
    the name that is meant.
    """
    names = {*known, *OF_CLIENTS}
    return [
        _sentence(name, names)
        for name in sorted(given)
        if name.startswith("QUIRE_") and not {name, name.removesuffix("_FILE")} & names
    ]


def _sentence(name: str, names: Collection[str]) -> str:
    plain = name.removesuffix("_FILE")
    if now := {f"{plain}_SECONDS", f"{plain}ECONDS", f"{plain}ECOND"} & {*names}:
        return f"{plain}: it is called {now.pop()} now. The former name is still understood."
    near = difflib.get_close_matches(name, names, 1)
    return f"{name}: there is no such setting. {f'Is {near[0]} meant?' if near else 'Nothing is called like it.'}"
