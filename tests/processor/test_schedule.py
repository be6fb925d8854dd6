from quire_processor.schedule import Open, Schedule, Work


def start(schedule: Schedule, files: dict[str, list[str]]) -> None:
    opened = {schedule.next(may_open=True) for _ in files}
    assert opened == {Open(batch_id) for batch_id in files}
    for batch_id, names in files.items():
        schedule.ready(batch_id, tuple(names))


def drain(schedule: Schedule) -> list[str]:
    turns = []
    while (turn := schedule.next(may_open=False)) is not None:
        assert isinstance(turn, Work)
        turns.append(turn.file_id)
    return turns


def test_a_batch_is_started_before_its_files_are_worked_on():
    schedule = Schedule()
    schedule.offer("b", "c", "r")
    assert schedule.next(may_open=False) is None
    assert schedule.next(may_open=True) == Open("b")
    assert schedule.next(may_open=True) is None
    schedule.ready("b", ("1",))
    assert schedule.next(may_open=True) == Work("b", "1")


def test_a_large_drop_takes_every_other_turn_from_a_small_one():
    schedule = Schedule()
    schedule.offer("large", "c", "drop of many")
    schedule.offer("small", "c", "drop of three")
    start(schedule, {"large": [f"L{n}" for n in range(10)], "small": ["s0", "s1", "s2"]})
    assert [name for name in drain(schedule)[:6] if name.startswith("s")] == ["s0", "s1", "s2"]


def test_collections_take_turns_whatever_the_number_of_their_requests():
    schedule = Schedule()
    for request in "xyz":
        schedule.offer(f"busy-{request}", "busy", request)
    schedule.offer("calm", "calm", "r")
    start(schedule, {f"busy-{request}": [f"{request}{n}" for n in range(4)] for request in "xyz"} | {"calm": ["c0", "c1"]})
    assert {"c0", "c1"} <= set(drain(schedule)[:4])


def test_a_request_is_worked_through_from_its_oldest_batch():
    schedule = Schedule()
    for batch in ("first", "second"):
        schedule.offer(batch, "c", "r")
    start(schedule, {batch: [f"{batch}-0", f"{batch}-1"] for batch in ("first", "second")})
    assert drain(schedule) == ["first-0", "first-1", "second-0", "second-1"]


def test_a_batch_that_is_withdrawn_gets_no_turn_and_leaves_no_trace():
    schedule = Schedule()
    schedule.offer("b", "c", "r")
    start(schedule, {"b": ["1", "2"]})
    schedule.withdraw("b")
    schedule.ready("b", ("1",))
    assert schedule.next(may_open=True) is None
    assert len(schedule) == 0


def test_a_batch_offered_again_keeps_its_place():
    schedule = Schedule()
    schedule.offer("b", "c", "r")
    start(schedule, {"b": ["1"]})
    schedule.offer("b", "c", "r")
    assert schedule.next(may_open=True) == Work("b", "1")
    assert len(schedule) == 0
