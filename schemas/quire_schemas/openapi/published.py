"""The operation that both services have: it answers the service's OpenAPI document."""

from quire_schemas.openapi.parts import JSON, Answer, Operation, Parameter

_TAG = {"ETag": "What the document is, for If-None-Match."}
OPENAPI = Operation(
    "/openapi.json",
    "openapi",
    "Service",
    "This document.",
    (
        Answer(200, "OpenAPI 3.1.", media={JSON: {"type": "object"}}, headers=_TAG),
        Answer(304, "It is what you have.", headers=_TAG),
    ),
    ("internal",),
    parameters=(Parameter("If-None-Match", str, "The ETag of what you have.", "header", refused=False),),
    open=True,
)
