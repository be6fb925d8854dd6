"""Where a token is, and that one that cannot be one is refused without being shown."""

from pathlib import Path

import jwt
import pytest

from quire_schemas.tokens import UnfitToken, collections_of, token_of

BROKEN = "c2VjcmV0\nc2VjcmV0"


def test_it_is_in_a_variable_or_in_the_file_that_one_names(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc.def\n")
    assert token_of({}) is None
    assert token_of({"QUIRE_TOKEN": " abc.def\n"}) == "abc.def"
    assert token_of({"QUIRE_TOKEN_FILE": str(file), "QUIRE_TOKEN": ""}) == "abc.def"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"QUIRE_TOKEN": "a", "QUIRE_TOKEN_FILE": "b"}, "both set. Unset one"),
        ({"QUIRE_TOKEN_FILE": "/nowhere"}, "cannot be read (No such file or directory). Correct the path"),
        ({"QUIRE_TOKEN": BROKEN}, "QUIRE_TOKEN: it is empty, or holds a line break"),
        ({"QUIRE_TOKEN": "\n"}, "QUIRE_TOKEN: it is empty"),
    ],
)
def test_what_will_not_do_is_told_without_being_shown(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(UnfitToken) as refusal:
        token_of(environ)
    assert sentence in str(refusal.value)
    assert "c2VjcmV0" not in str(refusal.value)


@pytest.mark.parametrize(
    ("claims", "collections"),
    [({"collections": ["a", "b-*"]}, ["a", "b-*"]), ({"collections": "a b-*"}, ["a", "b-*"]), ({"sub": "me"}, [])],
)
def test_the_collections_of_a_jwt_are_read_without_its_key(claims: dict[str, object], collections: list[str]) -> None:
    assert collections_of(jwt.encode(claims, "k" * 32)) == collections


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.!.c", "a.e30.c.d", f"a.{'é'}.c"])
def test_another_kind_of_token_names_none(token: str) -> None:
    assert collections_of(token) in (None, [])
