"""Cleans the metadata and the title that a file gives for itself. Pure."""

from collections.abc import Mapping

from quire_schemas.fields import MAX_TITLE_BYTES
from quire_schemas.text import scrub, shorten

MAX_KEYS = 32
MAX_KEY_BYTES = 64
MAX_VALUE_BYTES = 1024


def tidy(metadata: Mapping[str, object]) -> dict[str, str]:
    """Returns the metadata without control characters and blank values: at most MAX_KEYS pairs, each shortened."""
    pairs = (
        (shorten(scrub(str(key)), MAX_KEY_BYTES), shorten(scrub(str(value)), MAX_VALUE_BYTES)) for key, value in metadata.items()
    )
    return dict([(key, value) for key, value in pairs if key and value.strip()][:MAX_KEYS])


def title(text: str) -> str | None:
    """Returns the title as it is shown, cleaned and shortened; None where it is blank."""
    return shorten(scrub(text).strip(), MAX_TITLE_BYTES) or None
