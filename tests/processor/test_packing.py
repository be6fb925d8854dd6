from tests.schemas.story import cancel, created, given, processed, retry, started

from quire_processor.packing import pack_event, pack_state, unpack_event, unpack_state


def test_what_is_packed_comes_back_equal_and_is_small():
    state = given(created("abcdef"), started(), processed("a")).state
    assert state is not None
    assert unpack_state(pack_state(state)) == state
    for event in (created("abcdef"), retry(a="failed"), cancel()):
        assert unpack_event(pack_event(event)) == event
