"""Event ids: the same event has the same id, another one has another."""

from uuid import UUID

from quire_schemas import ids


def test_what_differs_in_anything_has_another_id():
    made = [
        ids.created_id("b"),
        ids.created_id("c"),
        ids.started_id("b", 1, "r"),
        ids.started_id("b", 2, "r"),
        ids.started_id("b", 1, "s"),
        ids.progressed_id("r", 1),
        ids.progressed_id("r", 2),
        ids.released_id("r"),
        ids.ended_id("r"),
        ids.settled_id("r", "f"),
        ids.settled_id("r", "g"),
        ids.settled_id("s", "f"),
        ids.cancel_id("b", 0),
        ids.cancel_id("b", 1),
        ids.retry_id("b", 0, force=False, file_ids=None),
        ids.retry_id("b", 1, force=False, file_ids=None),
        ids.retry_id("b", 0, force=True, file_ids=None),
        ids.retry_id("b", 0, force=False, file_ids=[]),
        ids.retry_id("b", 0, force=False, file_ids=["f"]),
        ids.retry_id("b", 0, force=False, file_ids=["f", "g"]),
    ]
    assert len(set(made)) == len(made)
    assert {UUID(made_id).version for made_id in made} == {5}


def test_the_same_retry_has_the_same_id_however_its_files_are_ordered():
    assert ids.retry_id("b", 0, force=False, file_ids=["g", "f"]) == ids.retry_id("b", 0, force=False, file_ids=("f", "g"))


def test_the_ids_of_an_earlier_version_do_not_change():
    """A repeated send after an upgrade has to be the same event."""
    assert ids.created_id("b7c0de5e-0000-4000-8000-000000000001") == "dc07a6b5-8d90-5009-a3e3-b397517ade6d"
    assert ids.retry_id("b", 1, force=True, file_ids=["f"]) == "c74dd6ea-b030-50ed-b9ec-266d8ea53f53"
