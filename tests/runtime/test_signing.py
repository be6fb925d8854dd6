"""Requests are signed as botocore signs them."""

from __future__ import annotations

import hashlib

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys
from hypothesis import given
from hypothesis import strategies as st

from quire_runtime.signing import UNSIGNED, Credentials, Signer, encoded

SIGNER = Signer("store:9000", "eu-north-1")
"""One for all: it remembers the last key."""
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=40)
PATHS = KEYS.map(lambda key: f"/bucket/{encoded(key)}")
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
NAMES = st.sampled_from(["content-type", "if-none-match", "range"])
HEADERS = st.dictionaries(NAMES, st.sampled_from(["*", "a/b; c=d", "bytes=1-"]))
PAYLOADS = st.sampled_from([UNSIGNED, hashlib.sha256(b"body").hexdigest()])


@given(st.sampled_from(["GET", "PUT"]), PATHS, PAYLOADS, HEADERS, st.builds(Credentials, SECRETS, SECRETS, st.none() | SECRETS))
def test_a_request_has_the_signature_that_botocore_gives_it(
    method: str, path: str, payload: str, headers: dict[str, str], credentials: Credentials
) -> None:
    ours = SIGNER.sign(method, path, payload, headers, credentials)
    request = AWSRequest(method, f"http://store:9000{path}", headers={**headers, "x-amz-content-sha256": payload})
    request.context["timestamp"] = ours["x-amz-date"]
    theirs = S3SigV4Auth(Keys(*credentials), "s3", "eu-north-1")
    SigV4Auth._modify_request_before_signing(theirs, request)  # that of S3 computes the payload's hash itself
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    theirs._inject_signature_to_request(request, theirs.signature(text, request))
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")
