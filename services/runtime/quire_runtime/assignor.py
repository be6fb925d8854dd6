"""Which member of a consumer group gets which partition: as few as possible move when a member comes or goes.

Each member claims the partitions that it has; the leader of the group grants claims as far as numbers stay balanced within one.
While members of an older version are in the group, which know no claims, partitions are dealt out in turn.
"""

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

Assignors = tuple[type[StickyPartitionAssignor], type[AbstractPartitionAssignor]]


def assignors() -> Assignors:
    """Returns the assignors of one member, the preferred one first. aiokafka keeps the claims of a member in the class, so each
    member has a class of its own.
    """

    class Claiming(StickyPartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped
        member_assignment = None
        generation = StickyPartitionAssignor.DEFAULT_GENERATION_ID

    return Claiming, RoundRobinPartitionAssignor
