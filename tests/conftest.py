"""Fixtures that several suites share."""

from tests.mysql import mysql_server, pytest_terminal_summary

__all__ = ["mysql_server", "pytest_terminal_summary"]
