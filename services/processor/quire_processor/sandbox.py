"""Reports worker processes that are not fully confined: by a metric, a warning, or an exception at the start."""

from quire_processor.confine import PARTS, Lacking
from quire_processor.metrics import SANDBOX
from quire_runtime.errors import CannotServe
from quire_runtime.logs import get_logger

log = get_logger(__name__)


class NotConfined(CannotServe):
    """QUIRE_SANDBOX is `require`, and this machine does not confine worker processes. Run on another machine, or set
    QUIRE_SANDBOX=prefer.
    """

    def __init__(self, lacking: Lacking) -> None:
        super().__init__(
            f"QUIRE_SANDBOX=require, but worker processes are not confined on this machine: {_sentence(lacking)}. "
            "Run on Linux 5.13 or later with Landlock and seccomp, on x86-64 or arm64, or set QUIRE_SANDBOX=prefer"
        )


def report(lacking: Lacking) -> None:
    """Sets the metric of each part of the sandbox, and logs a warning where a part is lacking."""
    for part in PARTS:
        SANDBOX.labels(part).set(part not in lacking)
    if lacking:
        log.warning("worker processes are not confined as docs/secure.md describes it", lacking=_sentence(lacking))


def _sentence(lacking: Lacking) -> str:
    return "; ".join(f"no {part} ({reason})" for part, reason in lacking.items())
