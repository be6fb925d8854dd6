"""Where bytes wait."""

from pathlib import Path

from quire_ingest.segments import Memory, Segment


async def test_what_was_written_is_read_from_memory_and_from_disk_alike(tmp_path: Path):
    memory = Memory(10)
    small, large = Segment(memory, tmp_path), Segment(memory, tmp_path)
    await small.write(b"1234")
    await large.write(b"abcd")
    await large.write(b"efgh")
    await large.write(b"ij")
    for segment, content in ((small, b"1234"), (large, b"abcdefghij")):
        assert segment.size == len(content)
        assert segment.body().read() == content
        assert segment.body().read() == content
    small.close()
    large.close()
    assert list(tmp_path.iterdir()) == []


async def test_memory_is_given_back_when_a_segment_moves_to_disk_and_when_it_is_closed(tmp_path: Path):
    memory = Memory(10)
    one, two = Segment(memory, tmp_path), Segment(memory, tmp_path)
    await one.write(b"123456")
    await two.write(b"123")
    await two.write(b"45")
    assert memory.taken == 6
    one.close()
    one.close()
    assert memory.taken == 0
    two.close()
    assert memory.taken == 0
