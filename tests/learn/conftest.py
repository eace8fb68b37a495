"""Tests of lessons and playground have a browser, and a playground that is served."""

import pytest

from tests.browser import browser, chromium
from tests.learn.client import serving
from tests.learn.page import opened

__all__ = ["browser", "chromium"]


@pytest.fixture
def client():
    with serving() as found:
        yield found


@pytest.fixture
def page(browser, client):
    """A page that shows the playground; at the end it must have found nothing to complain of."""
    made = opened(browser, client)
    yield made
    made.close()
    assert made.outside == []
    assert made.complaints == []
