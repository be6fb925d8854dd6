"""Partitions move as little as they can when members come and go."""

from __future__ import annotations

import random

from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_runtime.assignor import Assignors, assignors

TOPIC = "quire.batches"


class Topics:
    """What an assignor asks of aiokafka's cluster."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {TOPIC}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return self._partitions


class Group:
    """Members of a consumer group by id, each with what it was given last."""

    def __init__(self, partitions: int) -> None:
        self.cluster = Topics(partitions)
        self.members: dict[str, Assignors] = {}
        self.owned: dict[str, set[int]] = {}
        self.generation = 0

    def rebalance(self, chance: random.Random) -> dict[str, set[int]]:
        """As the group does: everybody claims, the leader assigns, everybody is told."""
        self.generation += 1
        names = chance.sample(sorted(self.members), len(self.members))
        claims = {name: self.members[name][0].metadata({TOPIC}) for name in names}
        given_out = self.members[chance.choice(names)][0].assign(self.cluster, claims)
        for name, what in given_out.items():
            told = ConsumerProtocolMemberAssignment.decode(what.encode())
            self.members[name][0].on_assignment(told)
            self.members[name][0].on_generation_assignment(self.generation)
        before = self.owned
        self.owned = {name: {tp.partition for tp in what.partitions()} for name, what in given_out.items()}
        return before


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_it_is_balanced_and_moves_as_few_as_can_be(seed: int, partitions: int) -> None:
    chance, group = random.Random(seed), Group(partitions)  # noqa: S311 -- repeatable on purpose
    for step in range(12):
        leaving = sorted(group.members) if len(group.members) > 1 and chance.random() < 0.5 else []
        if leaving:
            gone = chance.choice(leaving)
            del group.members[gone]
        else:
            group.members[f"member-{step}-{chance.random()}"] = assignors()
        before = group.rebalance(chance)
        sizes = sorted(len(owned) for owned in group.owned.values())
        assert sum(sizes) == partitions == len(set().union(*group.owned.values()))
        assert sizes[-1] - sizes[0] <= 1
        owner = {partition: name for name, owned in before.items() for partition in owned}
        moved = sum(owner.get(partition) != name for name, owned in group.owned.items() for partition in owned)
        least = len(before.get(gone, ())) if leaving else max(0, partitions // len(group.members)) if before else partitions
        assert least <= moved <= least + 1


def test_a_member_that_comes_back_with_old_claims_takes_nothing_from_others() -> None:
    chance, group = random.Random(1), Group(24)  # noqa: S311 -- repeatable on purpose
    group.members = {"a": assignors(), "b": assignors()}
    group.rebalance(chance)
    frozen = group.members.pop("a")
    group.rebalance(chance)
    assert len(group.owned["b"]) == 24
    group.members["c"] = assignors()
    group.rebalance(chance)
    kept = group.owned["c"]
    group.members["a again"] = frozen
    group.rebalance(chance)
    assert len(kept & group.owned["c"]) == 8
    assert {len(owned) for owned in group.owned.values()} == {8}


def test_members_share_no_claims() -> None:
    one, other = assignors()[0], assignors()[0]
    one.on_assignment(ConsumerProtocolMemberAssignment(0, [(TOPIC, [1, 2])], b""))
    assert one.member_assignment == [TopicPartition(TOPIC, 1), TopicPartition(TOPIC, 2)]
    assert other.member_assignment is None
