"""Says loudly which live parts of `make test-deploy` did not run."""

from collections import Counter

import pytest
from tests.deploy.engine import built, engine

__all__ = ["built", "engine"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("-m").startswith("not live"):
        return
    missing = Counter(
        (report.nodeid.partition("::")[0], report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])
    )
    if missing:
        terminalreporter.section("NOT RUN", sep="!", red=True, bold=True)
    for (file, reason), number in sorted(missing.items()):
        terminalreporter.line(f"NOT RUN: {number} of {file}: {reason}", red=True)
