"""An answer that travels while the feed goes on."""

from __future__ import annotations

from typing import Any

from tests.client.feed import BATCH, completed, created, processed, started, view

from quire_cli.following import Following


class Slow:
    """An API whose first answer is older than what the feed tells meanwhile."""

    def __init__(self) -> None:
        self.following: Following
        self.asked = 0

    async def batch(self, batch_id: str) -> Any:
        self.asked += 1
        answer = view(status="processing" if self.asked == 1 else "completed")
        if self.asked == 1:
            for item in (processed("a"), completed()):
                await self.following._take(item)
        assert batch_id == BATCH
        return answer


class Deaf:
    def heard(self, item: Any) -> None: ...
    def lost(self, reason: str, pause: float) -> None: ...


async def test_an_older_answer_does_not_undo_what_the_feed_has_told() -> None:
    api: Any = Slow()
    following = api.following = Following(api, "default", Deaf(), None)
    for item in (created("a"), started()):
        await following._take(item)
    await following.fetch([BATCH])
    assert following.tracker.batches[BATCH].ended
    assert api.asked == 2
