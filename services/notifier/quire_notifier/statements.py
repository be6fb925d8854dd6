"""SQL lives in `sql/`, one statement per name."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+).*$", re.MULTILINE)


def statements(name: str) -> dict[str, str]:
    """`{name: SQL}` of `sql/{name}.sql` in this package."""
    text = files("quire_notifier").joinpath("sql", f"{name}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
