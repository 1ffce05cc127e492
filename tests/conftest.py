"""Fixtures that several suites share."""

from collections import Counter

import pytest

from tests.mysql import mysql_server

__all__ = ["mysql_server"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run, and why, loudly."""
    reasons = Counter(
        str(skipped.longrepr[2]).removeprefix("Skipped: ") for skipped in terminalreporter.stats.get("skipped", [])
    )
    for reason, count in reasons.items():
        terminalreporter.write_line(f"WARNING: {count} did NOT run: {reason}.", red=True)
