"""What every test may use: random numbers from one seed."""

import numpy as np
import pytest


@pytest.fixture
def random():
    return np.random.default_rng(20240229)
