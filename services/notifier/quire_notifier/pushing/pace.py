"""Limits how slow a client may be while data waits for it (docs/design.md, "Row to socket")."""

SLOWEST = 32 * 1024
"""The slowest rate, in bytes a second, at which a client may read."""
STALLED_SECONDS = 5.0
"""Seconds that bytes may wait for a client that reads none of them, or too few."""
MOST_WAITING = 1024 * 1024
"""Bytes that may wait in our memory for one client."""
PIECE_BYTES = 32 * 1024
"""Bytes written at a time to a client that catches up."""


class Pace:
    """The seconds that a client may still make us wait. Waiting uses them up. Bytes that the client takes give seconds back,
    one for each SLOWEST bytes. So a client slower than SLOWEST runs out of seconds, and a client for which no data waits does
    not.
    """

    def __init__(self) -> None:
        self.seconds = STALLED_SECONDS

    def waited(self, seconds: float, taken: int) -> None:
        """Accounts for a wait of `seconds` in which the client has taken `taken` bytes."""
        self.seconds = max(0.0, min(STALLED_SECONDS, self.seconds - seconds + taken / SLOWEST))
