from datetime import UTC, datetime, timedelta

from quire_processor.schedule import Open, Schedule, Work
from quire_processor.shares import Shares

START = datetime(2026, 1, 2, tzinfo=UTC)
PLACES = 4


class Clock:
    """Stands still unless told to go on."""

    seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Desk:
    """A schedule with its offers in few words: batches are offered in the order of their creation."""

    def __init__(self, places: int = PLACES) -> None:
        self.clock = Clock()
        self.shares = Shares(self.clock)
        self.schedule = Schedule(places, self.shares)
        self._offers = 0

    def offer(self, batch_id: str, collection_id: str = "c", request_id: str = "r", created: int | None = None) -> None:
        self._offers += 1
        created = self._offers if created is None else created
        self.schedule.offer(batch_id, collection_id, request_id, START + timedelta(seconds=created))

    def opened(self, batch_id: str, *files: str) -> None:
        assert self.schedule.next(may_open=True) == Open(batch_id)
        self.schedule.ready(batch_id, files)

    def all_opened(self, files: dict[str, list[str]]) -> None:
        """Batches of collections that have nothing open."""
        assert {self.schedule.next(may_open=True) for _ in files} == {Open(batch_id) for batch_id in files}
        for batch_id, names in files.items():
            self.schedule.ready(batch_id, tuple(names))

    def turns(self) -> list[str]:
        """Files until there is no place."""
        found = []
        while isinstance(turn := self.schedule.next(may_open=False), Work):
            found.append(turn.file_id)
        return found


def test_a_batch_is_started_before_its_files_are_worked_on():
    desk = Desk()
    desk.offer("b")
    assert desk.schedule.next(may_open=False) is None
    assert desk.schedule.next(may_open=True) == Open("b")
    assert desk.schedule.next(may_open=True) is None
    desk.schedule.ready("b", ("1",))
    assert desk.schedule.next(may_open=True) == Work("b", "1")


def test_files_of_open_batches_go_before_another_batch_is_opened():
    desk = Desk()
    desk.offer("first")
    desk.offer("second")
    desk.opened("first", *(f"{number}" for number in range(PLACES + 5)))
    assert [desk.schedule.next(may_open=True) for _ in range(PLACES)] == [Work("first", f"{n}") for n in range(PLACES)]
    assert desk.schedule.next(may_open=True) is None  # there are more files of it than places
    desk.schedule.done("c")
    assert desk.schedule.next(may_open=True) == Work("first", f"{PLACES}")
    desk.schedule.done("c")
    assert desk.schedule.next(may_open=True) == Work("first", f"{PLACES + 1}")
    assert desk.schedule.next(may_open=True) == Open("second")  # soon there will be too few


def order_of_opening(*offers: tuple[str, str, int]) -> list[str]:
    """In which order batches of one collection are opened, which are offered in this one: batch, request, time of creation."""
    desk = Desk()
    for batch_id, request_id, created in offers:
        desk.offer(batch_id, request_id=request_id, created=created)
    opened = []
    while isinstance(turn := desk.schedule.next(may_open=True), Open):
        opened.append(turn.batch_id)
    return opened


def test_a_request_whose_files_are_all_there_goes_whole_before_a_later_one():
    offers = [("B1", "b", 4), ("A2", "a", 2), ("B2", "b", 5), ("A1", "a", 1), ("A3", "a", 3)]
    assert order_of_opening(*offers) == ["A1", "A2", "A3", "B1", "B2"]


def test_batches_of_requests_that_are_accepted_at_once_are_not_mixed():
    offers = [("1", "b", 0), ("2", "a", 0), ("3", "b", 0), ("4", "a", 0)]
    assert order_of_opening(*offers) == ["2", "4", "1", "3"]


def test_a_small_request_does_not_wait_for_what_came_in_after_it_of_a_large_one_that_began_before():
    large = [(f"large {number}", "a", number) for number in (1, 2, 5, 6)]
    assert order_of_opening(*large, ("small", "b", 3)) == ["large 1", "large 2", "small", "large 5", "large 6"]


def test_there_are_never_more_files_in_flight_than_places():
    desk = Desk()
    desk.offer("b")
    desk.opened("b", *(f"{number}" for number in range(20)))
    assert len(desk.turns()) == PLACES
    desk.schedule.done("c")
    assert len(desk.turns()) == 1


def test_a_collection_that_has_nothing_in_flight_gets_a_place_beyond_the_others():
    desk = Desk()
    desk.offer("large", "many")
    desk.opened("large", *(f"L{number}" for number in range(20)))
    desk.turns()
    desk.offer("small", "few")
    desk.opened("small", "s0", "s1", "s2")
    assert desk.turns() == ["s0"]
    desk.schedule.done("few")
    assert desk.turns() == ["s1"]


async def test_one_that_has_had_far_less_of_the_workers_gets_several():
    desk = Desk()
    desk.offer("slow", "many")
    desk.offer("quick", "few")
    desk.all_opened({"slow": [f"s{number}" for number in range(20)], "quick": [f"q{number}" for number in range(20)]})
    for collection, seconds in (("many", 100.0), ("few", 0.1)):
        async with desk.shares.charged(collection):
            desk.clock.seconds += seconds
    assert desk.turns() == [f"q{number}" for number in range(2 * PLACES)]


def test_those_places_beyond_are_bounded_too():
    desk = Desk()
    desk.offer("large", "many")
    desk.opened("large", *(f"L{number}" for number in range(20)))
    desk.turns()
    for number in range(3 * PLACES):
        desk.offer(f"b{number}", f"c{number}")
    desk.all_opened({f"b{number}": ["f"] for number in range(3 * PLACES)})
    assert len(desk.turns()) == PLACES


async def test_the_collection_that_has_had_less_of_the_workers_is_next():
    desk = Desk(places=1)
    desk.offer("slow", "a")
    desk.offer("quick", "b")
    desk.all_opened({"slow": ["s0", "s1"], "quick": [f"q{number}" for number in range(20)]})
    order = []
    for _ in range(12):
        turn = desk.schedule.next(may_open=False)
        assert isinstance(turn, Work)
        collection = "a" if turn.batch_id == "slow" else "b"
        order.append(turn.file_id)
        async with desk.shares.charged(collection):
            desk.clock.seconds += 10.0 if collection == "a" else 1.0
        desk.schedule.done(collection)
    assert order.count("s1") == 1
    assert order.index("s1") - order.index("s0") >= 10


def test_a_batch_that_is_withdrawn_gets_no_turn_and_leaves_no_trace():
    desk = Desk()
    desk.offer("b")
    desk.opened("b", "1", "2")
    desk.schedule.withdraw("b")
    desk.schedule.ready("b", ("1",))
    assert desk.schedule.next(may_open=True) is None
    assert len(desk.schedule) == 0


def test_a_batch_offered_again_keeps_its_place():
    desk = Desk()
    desk.offer("b")
    desk.opened("b", "1")
    desk.offer("b")
    assert desk.schedule.next(may_open=True) == Work("b", "1")
    assert len(desk.schedule) == 0


async def test_a_file_that_wants_to_be_alone_waits_until_nothing_else_is_in_work_and_holds_up_everybody():
    desk = Desk()
    desk.offer("b", "suspect")
    desk.offer("other", "other")
    desk.all_opened({"b": ["1", "2", "3"], "other": ["4", "5"]})
    desk.schedule.ready("b", ("1", "2", "3"), frozenset({"2", "3"}))
    async with desk.shares.charged("other"):
        desk.clock.seconds += 10.0
    assert desk.turns() == ["1"]
    desk.schedule.done("suspect")
    assert desk.schedule.next(may_open=True) == Work("b", "2", alone=True)
    assert desk.turns() == []
    desk.schedule.done("suspect")
    assert desk.schedule.next(may_open=True) == Work("b", "3", alone=True)
    desk.schedule.done("suspect")
    assert desk.turns() == ["4", "5"]


async def two_of_which_one_is_far_ahead(seconds: float) -> Desk:
    """`ahead` has two batches open and has had so many seconds of a worker; `behind` has one that is not open."""
    desk = Desk()
    desk.offer("ahead 1", "ahead")
    desk.offer("ahead 2", "ahead")
    desk.all_opened({"ahead 1": ["a"], "ahead 2": ["b"]})
    desk.offer("behind", "behind")
    async with desk.shares.charged("ahead"):
        desk.clock.seconds += seconds
    return desk


async def test_an_open_batch_gives_way_to_a_collection_that_is_far_behind_and_has_none_open():
    desk = await two_of_which_one_is_far_ahead(60.0)
    assert desk.schedule.displace() == "ahead 2"
    assert desk.schedule.displace() is None  # one for each that waits
    assert desk.turns() == ["a"]
    assert desk.schedule.next(may_open=True) == Open("behind")
    desk.schedule.ready("behind", ())
    assert desk.schedule.next(may_open=True) is None  # it is still open, until it is said to be closed
    desk.schedule.closed("ahead 2")
    assert desk.schedule.next(may_open=True) == Open("ahead 2")


async def test_none_gives_way_to_one_that_is_a_little_behind():
    desk = await two_of_which_one_is_far_ahead(5.0)
    assert desk.schedule.displace() is None


async def test_nor_to_one_that_has_a_batch_open():
    desk = await two_of_which_one_is_far_ahead(60.0)
    desk.opened("behind", "c")
    assert desk.schedule.displace() is None


async def test_a_batch_that_is_lost_while_it_gives_way_is_forgotten():
    desk = await two_of_which_one_is_far_ahead(60.0)
    assert desk.schedule.displace() == "ahead 2"
    desk.schedule.withdraw("ahead 2")
    desk.schedule.closed("ahead 2")
    assert len(desk.schedule) == 2
