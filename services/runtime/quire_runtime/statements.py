"""Reads the statements of a `.sql` file. Comments in the file name them."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+).*$", re.MULTILINE)


def statements(package: str, name: str) -> dict[str, str]:
    """Returns `{name: SQL}` from `sql/{name}.sql` in the package. Each statement stands below a comment `-- name: …`."""
    text = files(package).joinpath("sql", f"{name}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
