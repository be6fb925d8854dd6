"""What the processor makes of a worker that is less confined than it could be: a metric, a warning, or no start at all."""

from quire_processor.confine import PARTS, Lacking, Sandbox
from quire_processor.metrics import SANDBOX
from quire_runtime.errors import CannotServe
from quire_runtime.logs import get_logger

log = get_logger(__name__)


class NotConfined(CannotServe):
    """QUIRE_SANDBOX=require, and this machine does not confine worker processes."""

    def __init__(self, lacking: Lacking) -> None:
        super().__init__(
            f"QUIRE_SANDBOX=require, but worker processes are not confined on this machine: {sentence(lacking)}. "
            "Run on Linux 5.13 or later with Landlock and seccomp, on x86-64 or arm64, or set QUIRE_SANDBOX=prefer"
        )


def report(lacking: Lacking, sandbox: Sandbox) -> None:
    """Tells operators what workers lack; raises NotConfined where they must not lack it."""
    for part in PARTS:
        SANDBOX.labels(part).set(part not in lacking)
    if lacking and sandbox == "require":
        raise NotConfined(lacking)
    if lacking:
        log.warning("worker processes are not confined as docs/secure.md describes it", lacking=sentence(lacking))


def sentence(lacking: Lacking) -> str:
    """The parts and their reasons in one line."""
    return "; ".join(f"no {part} ({reason})" for part, reason in lacking.items())
