"""A model of what may reach the log about one batch.

Two workers start runs and say things about them, also long after they have been taken over (zombies). People cancel and
retry, from views that may be old. Whatever is said may arrive late, twice, or never.
"""

# ruff: noqa: FBT001 - Hypothesis hands a rule its arguments by name

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, precondition, rule
from tests.schemas.properties import SAW_THE_END, Evolve, Log
from tests.schemas.story import (
    BATCH,
    ENDS_OF_A_RUN,
    OF_A_GENERATION,
    batch_failed,
    completed,
    created,
    failed,
    processed,
    progressed,
    say,
    started,
    uid,
)

from quire_schemas import batch, ids
from quire_schemas.events import POLICIES, Event, Policy
from quire_schemas.retry import retry_requested
from quire_schemas.states import BatchState

FILES = "abc"
some_files = st.sets(st.sampled_from(FILES)).map(sorted).map("".join)
steps_back = st.sampled_from([0, 0, 1, 3])  # how old a view is, in accepted events
ends = st.sampled_from([(), (completed, batch_failed), (batch_failed,)])
usually = st.sampled_from([True, True, False])


class History(RuleBasedStateMachine):
    evolve: ClassVar[Evolve] = staticmethod(batch.evolve)

    on_its_way = Bundle("on_its_way")
    runs = Bundle("runs")

    @initialize(policy=st.sampled_from(POLICIES), count=st.integers(1, len(FILES)))
    def begin(self, policy: Policy, count: int) -> None:
        self.log = Log(self.evolve)
        self.log.append(created(FILES[:count], policy))

    @rule(target=runs, worker=st.sampled_from("AB"), back=steps_back)
    def start(self, worker: str, back: int) -> str:
        """A worker starts the batch as it believes it to stand."""
        run = f"{worker}{len(self.log.events)}"
        self.log.append(started(run, self.view(back).attempt + 1))
        return run

    @rule(target=on_its_way, zombie=runs, alive=usually, now=usually, number=st.integers(1, 2), flight=some_files)
    def progress(self, zombie: str, alive: bool, now: bool, number: int, flight: str) -> object:
        positions = dict.fromkeys(flight, ("extracting", 1, 2))
        return self.say(progressed(self.run(zombie, alive=alive), number=number, **positions), now=now)

    @rule(target=on_its_way, zombie=runs, alive=usually, now=usually, file=st.sampled_from(FILES), well=usually)
    def settle(self, zombie: str, alive: bool, now: bool, file: str, well: bool) -> object:
        outcome = processed if well else failed
        return self.say(outcome(file, self.run(zombie, alive=alive)), now=now)

    @precondition(lambda self: self.log.state.status == "processing")
    @rule(outcomes=st.tuples(*[st.sampled_from([processed, processed, failed, None])] * len(FILES)), ends=ends)
    def work_through(
        self, outcomes: tuple[Callable[[str, str], Event] | None, ...], ends: tuple[Callable[[str], Event], ...]
    ) -> None:
        """The current run does all of its work, so that ends are not rare; its terminal may be lost."""
        run = self.run("", alive=True)
        for file, outcome in zip(FILES, outcomes, strict=True):
            if outcome is not None:
                self.log.append(outcome(file, run))
        for end in ends:
            self.log.append(end(run))

    @rule(target=on_its_way, zombie=runs, alive=usually, now=usually, how=st.sampled_from(ENDS_OF_A_RUN))
    def end(self, zombie: str, alive: bool, now: bool, how: Callable[[str], Event]) -> object:
        return self.say(how(self.run(zombie, alive=alive)), now=now)

    @rule(target=on_its_way, now=st.booleans(), back=steps_back, how=st.sampled_from(OF_A_GENERATION))
    def ask(self, now: bool, back: int, how: Callable[[int], Event]) -> object:
        return self.say(how(self.view(back).generation), now=now)

    @rule(target=on_its_way, now=usually, back=steps_back, force=st.booleans(), named=st.none() | some_files)
    def retry(self, now: bool, back: int, force: bool, named: str | None) -> object:
        """Of a view that has ended, or seems to have; with force also of one that has not."""
        view = self.view(back)
        if not (view.all_settled or force):
            return multiple()
        file_ids = None if named is None else tuple(map(uid, named))
        event_id = ids.retry_id(BATCH, view.generation, force=force, file_ids=file_ids)
        by = SAW_THE_END if view.terminal else None
        return self.say(say(retry_requested(view, force=force, file_ids=file_ids, by=by), event_id), now=now)

    @rule(event=consumes(on_its_way))
    def arrive(self, event: Event) -> None:
        self.log.append(event)

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """Something that was said before arrives once more, however late."""
        self.log.append(data.draw(st.sampled_from(self.log.events)))

    def teardown(self) -> None:
        self.log.check_everything_twice()

    def say(self, event: Event, *, now: bool) -> object:
        """The event arrives now, or is on its way: it arrives later, or is lost."""
        if not now:
            return event
        self.log.append(event)
        return multiple()

    def view(self, back: int) -> BatchState:
        return self.log.states[max(0, len(self.log.states) - 1 - back)]

    def run(self, zombie: str, *, alive: bool) -> str:
        """The name of the current run where one is `alive`, else the zombie's."""
        state = self.log.state
        current = alive and state is not None and state.run_id is not None and state.worker
        return current.removeprefix("worker of ") if current else zombie
