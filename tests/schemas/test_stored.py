"""States are read by versions other than the one that stored them."""

import msgspec
from tests.schemas.story import completed, created, given, processed, started

from quire_schemas.states import FOLD_VERSION, BatchState
from quire_schemas.stored import decode_state, encode_state, fold_of


def ended() -> BatchState:
    state = given(created("a"), started(), processed("a"), completed()).state
    assert state is not None
    return state


def test_a_stored_state_says_which_fold_wrote_it():
    assert decode_state(encode_state(ended())) == ended()
    assert fold_of(encode_state(ended())) == FOLD_VERSION


def test_a_state_of_the_first_version_which_did_not_say_so_is_read():
    raw = msgspec.json.encode(ended())
    assert decode_state(raw) == ended()
    assert fold_of(raw) == 1


def test_a_state_of_a_newer_version_is_read_without_what_only_that_one_knows():
    newer = msgspec.json.decode(encode_state(ended())) | {"fold": FOLD_VERSION + 1, "colour": "blue"}
    raw = msgspec.json.encode(newer)
    assert fold_of(raw) == FOLD_VERSION + 1
    assert decode_state(raw) == ended()
    assert fold_of(encode_state(decode_state(raw))) == FOLD_VERSION
