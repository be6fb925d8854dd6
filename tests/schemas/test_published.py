"""The generated documents are shipped with the package, and nobody generates them when a service starts."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from quire_schemas import generate, published

SCHEMAS = Path(__file__).parents[2] / "schemas"
NAMES = ("asyncapi.json", "openapi-ingest.json", "openapi-notifier.json", "http.html", "events.html")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shipped_is_what_is_generated(name: str) -> None:
    assert published.read(name).decode() == generate.files()[name], "run `python -m quire_schemas.generate`"
    assert (generate.GENERATED / name).is_symlink()


def test_a_wheel_holds_the_documents(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, str(SCHEMAS)], check=True, timeout=100)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as held:
        for name in (*NAMES, "reference.css"):
            assert held.read(f"quire_schemas/documents/{name}") == published.read(name)


@pytest.mark.parametrize("service", ["quire_ingest", "quire_notifier"])
def test_a_service_does_not_load_what_generates(service: str) -> None:
    code = f"import sys, {service}.main; print(*(name for name in sys.modules if name.startswith('quire_schemas.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert "quire_schemas.published" in loaded
    assert [name for name in loaded if name.startswith(("quire_schemas.openapi", "quire_schemas.reference"))] == []
    assert "quire_schemas.generate" not in loaded
