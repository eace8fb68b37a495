"""Models learn real data as well as they should; the targets are those of bench.quality."""

import os
from pathlib import Path

import pytest

from bench import quality
from tests.estimators.backends import CORE

FOLDER = Path(os.environ.get("FASTNN_SHARED", Path(__file__).parents[3] / "shared")) / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.skipif(not CORE, reason="too slow without the core"),
    pytest.mark.skipif(not FOLDER.exists(), reason="needs shared/data"),
]


@pytest.mark.parametrize("name", quality.QUALITIES)
def test_the_target_is_reached(name):
    for row in quality.QUALITIES[name](FOLDER):
        assert row["reached"], row
