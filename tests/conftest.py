"""Fixtures that several suites share."""

import pytest

from tests import browser, mysql
from tests.mysql import mysql_server

__all__ = ["mysql_server"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run for want of a program."""
    mysql.pytest_terminal_summary(terminalreporter)
    browser.pytest_terminal_summary(terminalreporter)
