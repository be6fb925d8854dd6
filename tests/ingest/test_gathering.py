"""Files into batches."""

from datetime import UTC, datetime
from uuid import uuid4

from quire_ingest.gathering import Gatherer
from quire_ingest.rejection import rejection_of
from quire_schemas.cloudevents import MAX_RECORD_BYTES, encode
from quire_schemas.events import BatchCreated, FileSpec, event_of


def file(number: int, name: str = "a.pdf") -> FileSpec:
    return FileSpec(file_id=str(uuid4()), filename=name, size=10, sha256="0" * 64, object_key=f"originals/{uuid4()}/{number}.pdf")


def gathered(files: list[FileSpec], size: int) -> list[tuple[FileSpec, ...]]:
    gatherer = Gatherer(size)
    batches = [gatherer.add(each) for each in files]
    return [batch for batch in (*batches, gatherer.rest()) if batch]


def test_batches_hold_the_files_in_the_order_received():
    files = [file(number) for number in range(60)]
    batches = gathered(files, 25)
    assert [len(batch) for batch in batches] == [25, 25, 10]
    assert [each for batch in batches for each in batch] == files


def test_a_batch_closes_with_its_last_file_not_with_the_next_ones_first():
    gatherer = Gatherer(2)
    one, two = file(0), file(1)
    assert gatherer.add(one) == ()
    assert gatherer.add(two) == (one, two)
    assert gatherer.rest() == ()


def test_a_batch_of_one_is_a_batch():
    assert [len(batch) for batch in gathered([file(n) for n in range(3)], 1)] == [1, 1, 1]


def test_no_batch_is_too_large_for_its_record():
    files = [file(number, '"' * 251 + ".pdf") for number in range(100)]
    batches = gathered(files, 100)
    assert len(batches) > 1
    assert [each for batch in batches for each in batch] == files
    for batch in batches:
        created = BatchCreated(collection_id="c" * 128, request_id=str(uuid4()), files=batch)
        batch_id = str(uuid4())
        event = event_of(created, id=str(uuid4()), batch_id=batch_id, collection_id="c" * 128, source="/", time=datetime.now(UTC))
        assert len(encode(event).value) <= MAX_RECORD_BYTES


def test_a_file_is_taken_when_its_first_kilobyte_names_it_a_pdf():
    assert rejection_of(b"%PDF-1.7", 8, 8) is None
    assert rejection_of(b"x" * 1019 + b"%PDF-", 2_000, 2_000) is None
    assert rejection_of(b"%PDF1.4", 7, 8) is None
    assert rejection_of(b"4 0 obj\n<<", 10, 20) is None


def test_a_file_is_rejected_for_one_reason():
    reasons = [
        rejection_of(*args) for args in ((b"", 0, 9), (b"x" * 1020 + b"%PDF", 2_000, 9_000), (b"GIF", 3, 9), (b"%PDF-", 10, 9))
    ]
    assert [reason and reason.code for reason in reasons] == ["empty", "not_a_pdf", "not_a_pdf", "too_large"]
