"""Lets records gather between two polls while many come.

A transaction costs as much as some twenty events in it, so under load few large polls are much cheaper than many small ones.
Records that come now and then are projected at once, as is what has gathered during an outage.
"""

import asyncio
from collections import deque

WINDOW_SECONDS = 0.5
MANY = 50
"""Records within WINDOW_SECONDS from which on they gather: more than an upload of one small batch makes."""
FEW_POLLS = 3
"""Polls within WINDOW_SECONDS that are not many, whatever they had."""
ENOUGH = 100
"""Records of a poll that need not gather: more wait already."""
GATHER_SECONDS = 0.05


class Gathering:
    """The pause after each poll of one consumer."""

    def __init__(self) -> None:
        self._polls: deque[tuple[float, int]] = deque()  # when each ended, and how many records it had

    async def rest(self, records: int) -> None:
        """Returns after the pause that a poll with so many records is followed by, if any."""
        now = asyncio.get_running_loop().time()
        self._polls.append((now, records))
        while self._polls[0][0] < now - WINDOW_SECONDS:
            self._polls.popleft()
        if records < ENOUGH and len(self._polls) > FEW_POLLS and sum(count for _, count in self._polls) >= MANY:
            await asyncio.sleep(GATHER_SECONDS)
