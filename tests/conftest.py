"""Fixtures that several suites share."""

from tests.mysql import mysql_server

__all__ = ["mysql_server"]
