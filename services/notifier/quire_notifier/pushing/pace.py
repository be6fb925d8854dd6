"""How slow a client may be while something waits for it (docs/design.md, "Row to socket")."""

SLOWEST = 32 * 1024
"""Bytes a second."""
STALLED_SECONDS = 5.0
"""How long bytes may wait for a client that takes none, or not all."""
MOST_WAITING = 1024 * 1024
"""Bytes that may wait in our memory for one client."""
PIECE_BYTES = 32 * 1024
"""What is written at a time to a client that catches up."""


class Pace:
    """The seconds that a client may still let us wait. Those that it does are gone, and what it takes brings some back: at
    SLOWEST as many. So a client that is slower runs out of them, and one that has nothing to take never does.
    """

    def __init__(self) -> None:
        self.seconds = STALLED_SECONDS

    def waited(self, seconds: float, taken: int) -> None:
        """It has taken so many bytes meanwhile."""
        self.seconds = max(0.0, min(STALLED_SECONDS, self.seconds - seconds + taken / SLOWEST))
