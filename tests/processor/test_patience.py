"""A worker is judged by what it computes and by how far it comes; never by the clock of a machine that is busy or was frozen."""

import signal

import pytest

from quire_processor.limits import Limits
from quire_processor.patience import LOOK_EVERY, Overtime, Patience
from quire_processor.vitals import ended_by_memory

LIMITS = Limits(cpu_seconds=10, wall_seconds=60, picture_seconds=5)
MIB = 1024**2


class Worker:
    """Looked at again and again; `shares` is how much of the time it computes."""

    def __init__(self, *, knows_cpu: bool = True) -> None:
        self.now, self.cpu, self.page, self.text_read = 1_000.0, 5.0, 0, False
        self._knows_cpu = knows_cpu
        self._patience = Patience(LIMITS, self.now)

    @property
    def _told(self) -> float | None:
        return self.cpu if self._knows_cpu else None

    def passes(self, seconds: float, share: float, *, pages_a_look: int = 0) -> Overtime | None:
        """What is said of it at the end of so many seconds, or before."""
        for _ in range(round(seconds / LOOK_EVERY)):
            self.now += LOOK_EVERY
            self.cpu += share * LOOK_EVERY
            self.page += pages_a_look
            if said := self._patience.look(self._told, self.page, self.now, text_read=self.text_read):
                return said
        return None

    def frozen(self, seconds: float) -> Overtime | None:
        """The whole machine stands still, we with it."""
        self.now += seconds
        return self._patience.look(self._told, self.page, self.now, text_read=self.text_read)


def test_a_worker_on_a_busy_machine_may_take_many_times_the_wall_limit() -> None:
    assert Worker().passes(5 * LIMITS.wall_seconds, share=0.05) is None


def test_a_machine_that_was_frozen_costs_no_file() -> None:
    worker = Worker()
    assert worker.frozen(3_600) is None
    assert worker.passes(LIMITS.wall_seconds - 2, share=0) is None


def test_a_worker_that_computes_and_computes_is_stopped() -> None:
    worker = Worker()
    assert worker.passes(LIMITS.killed_after - 1, share=1) is None
    assert worker.passes(2, share=1) == "computing"


def test_a_worker_that_stands_still_is_stopped_after_the_wall_limit() -> None:
    worker = Worker()
    assert worker.passes(LIMITS.wall_seconds - 1, share=0) is None
    assert worker.passes(2, share=0) == "standstill"


def test_pages_that_are_done_count_as_life() -> None:
    assert Worker().passes(2 * LIMITS.wall_seconds, share=0, pages_a_look=1) is None


def test_no_file_takes_for_ever() -> None:
    assert Worker().passes(11 * LIMITS.wall_seconds, share=0.02) == "standstill"


def test_the_picture_has_a_budget_of_its_own() -> None:
    worker = Worker()
    assert worker.passes(LIMITS.killed_after - 1, share=1) is None
    worker.text_read = True
    assert worker.passes(LIMITS.picture_seconds - 1, share=1) is None
    assert worker.passes(2, share=1) == "computing"


def test_where_nothing_tells_what_is_computed_the_clock_has_to_do() -> None:
    assert Worker(knows_cpu=False).passes(LIMITS.killed_after + 1, share=0) == "computing"


@pytest.mark.parametrize(
    ("exit_code", "peak", "kernel_killed"),
    [(-signal.SIGKILL, 10 * MIB, True), (-signal.SIGABRT, 600 * MIB, False), (-signal.SIGSEGV, 900 * MIB, False)],
)
def test_memory_ended_a_worker(exit_code: int, peak: int, kernel_killed: object) -> None:
    assert ended_by_memory(exit_code, peak=peak, limit=1024 * MIB, kernel_killed=bool(kernel_killed))


@pytest.mark.parametrize(
    ("exit_code", "peak"),
    [
        (-signal.SIGKILL, 900 * MIB),
        (-signal.SIGABRT, 60 * MIB),
        (-signal.SIGSEGV, 60 * MIB),
        (1, 900 * MIB),
        (None, 900 * MIB),
    ],
)
def test_something_else_ended_a_worker(exit_code: int | None, peak: int) -> None:
    assert not ended_by_memory(exit_code, peak=peak, limit=1024 * MIB, kernel_killed=False)
