"""`python -m quire_schemas.generate [DIR]` writes the JSON Schemas, the AsyncAPI and the OpenAPI documents and their pages into
DIR (default: schemas/generated). Without DIR it also writes the types of JavaScript clients and of the page
(clients/js/contract.d.ts). Documents that services serve are in `documents/` of this package, with links in schemas/generated.

`states/N.json` is the schema of the states that version N of the fold stores. It is never changed: a change needs a new
FOLD_VERSION.

`released/v1` holds what a release promises: copies of `events` and `messages` from that moment, which are never edited. A test
compares the present documents with them.
"""

import json
import sys
from pathlib import Path

from quire_schemas import asyncapi, typescript
from quire_schemas.json_schemas import schemas, stored
from quire_schemas.openapi import ingest, notifier
from quire_schemas.openapi.document import document
from quire_schemas.reference.events_page import events_page
from quire_schemas.reference.http_page import http_page
from quire_schemas.states import FOLD_VERSION

GENERATED = Path(__file__).resolve().parents[1] / "generated"
CONTRACT = Path(__file__).resolve().parents[2] / "clients" / "js" / "contract.d.ts"
FOLDED = f"states/{FOLD_VERSION}.json"


def files() -> dict[str, str]:
    """Returns the text of each generated file, by its path."""
    documents = {f"{name}.json": schema for name, schema in schemas().items()}
    documents |= {"asyncapi.json": asyncapi.document(), FOLDED: stored()}
    apis = {service.name: document(service) for service in (ingest.SERVICE, notifier.SERVICE)}
    documents |= {f"openapi-{name}.json": api for name, api in apis.items()}
    texts = {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in documents.items()}
    return texts | {"http.html": http_page(apis), "events.html": events_page(documents["asyncapi.json"])}


def write(directory: Path) -> None:
    """Writes the files into the directory. Exits with an error when the fold has changed under the same version."""
    for name, text in files().items():
        path = directory / name
        if name == FOLDED and path.exists() and path.read_text(encoding="utf-8") != text:
            sys.exit(f"{name} would change: raise FOLD_VERSION in quire_schemas/states.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else GENERATED)
    if len(sys.argv) == 1:
        CONTRACT.write_text(typescript.document(), encoding="utf-8")
