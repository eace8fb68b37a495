"""Activations and their derivatives over 128 x 256 elements, and softmax over ten classes."""

import numpy as np
import pytest
from fastnn import _core

ELEMENTWISE = [name for name in _core.activations() if name != "softmax"]
X = np.random.default_rng(0).normal(size=(128, 256)).astype(np.float32)


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize("activation", ELEMENTWISE)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_activation(benchmark, direction, activation, isa):
    kernel = getattr(_core.kernels, f"activation_{direction}")
    arrays = (X,) if direction == "forward" else (X, np.tanh(X), np.ones_like(X))
    benchmark(kernel, isa, *arrays, np.empty_like(X), activation)


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_softmax(benchmark, isa):
    benchmark(_core.kernels.softmax_forward, isa, X[:, :10].copy())
