"""Tests of lessons and playground have a browser."""

from tests.browser import browser, chromium

__all__ = ["browser", "chromium"]
