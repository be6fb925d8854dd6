"""What the API shows and what subscribers are told has a value from the state of the batch: no field of it is forgotten."""

from msgspec import Struct, structs
from tests.schemas.filled import filled
from tests.schemas.story import created

from quire_notifier.projecting import row_sql
from quire_notifier.projecting.feed_messages import _file, _head
from quire_notifier.projecting.rows import BatchRow, FileRow, batch_row, file_row
from quire_notifier.web.row_views import batch_view, file_view, state_view
from quire_schemas.states import BatchState, FileState
from quire_schemas.views import BatchView

FILE = filled(FileState, standing="processed")
STATE = filled(BatchState, files={FILE.file_id: FILE}, status="processing")


def link(file_id: str, kind: str) -> str:
    return f"{file_id}/{kind}"


def unsaid(said: Struct) -> set[str]:
    """The fields that have their default."""
    return {field.name for field in structs.fields(said) if getattr(said, field.name) == field.default}


def test_a_file_is_shown_with_everything_that_is_known_of_it():
    assert unsaid(file_view(file_row(STATE, FILE, 3), link)) == {"matches"}  # those are of a search


def test_a_subscriber_is_told_everything_that_is_known_of_a_file():
    assert unsaid(_file(FILE, _head(STATE, created()))) == set()


def test_a_batch_is_shown_with_the_columns_of_its_row():
    shown = {field.name for field in structs.fields(BatchView)} - {"files", "in_flight"}
    assert shown == set(BatchRow._fields)
    assert unsaid(state_view(STATE, link)) == set()
    assert [getattr(batch_view(batch_row(STATE)), name) for name in BatchRow._fields] == list(batch_row(STATE))


def test_a_column_that_keeps_what_was_written_first_is_one():
    assert all(kept <= set(row._fields) for row, kept in row_sql._KEPT.items())
    assert row_sql._KEPT.keys() == {BatchRow, FileRow}
