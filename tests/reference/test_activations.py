import math

import numpy as np
import pytest
from fastnn.reference.activations import ACTIVATIONS

from tests import tolerance
from tests.reference.differences import numeric_gradient

VALUES = {  # at 1 and at -2
    "identity": (1, -2),
    "relu": (1, 0),
    "leaky_relu": (1, -0.02),
    "elu": (1, math.exp(-2) - 1),
    "gelu": (0.5 * (1 + math.erf(1 / math.sqrt(2))), -1 - math.erf(-2 / math.sqrt(2))),
    "sigmoid": (1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2))),
    "tanh": (math.tanh(1), math.tanh(-2)),
    "softplus": (math.log(1 + math.e), math.log(1 + math.exp(-2))),
    "softmax": (1 / (1 + math.exp(-3)), 1 / (1 + math.exp(3))),
}


def test_every_activation_has_a_value_here():
    assert sorted(VALUES) == sorted(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_at_two_points(name):
    y = ACTIVATIONS[name].forward(np.array([1.0, -2.0]))
    assert y == pytest.approx(VALUES[name], rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_equals_central_differences(name, random):
    f = ACTIVATIONS[name]
    x, dy = random.normal(size=(6, 5)) * 3, random.normal(size=(6, 5))
    expected = numeric_gradient(lambda: float((f.forward(x) * dy).sum()), x)
    assert tolerance.close(f.backward(x, f.forward(x), dy), expected, tolerance.DIFFERENCES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dtype_is_kept(name, dtype):
    x = np.linspace(-3, 3, 8).reshape(2, 4).astype(dtype)
    y = ACTIVATIONS[name].forward(x)
    assert (y.dtype, ACTIVATIONS[name].backward(x, y, x).dtype) == (x.dtype, x.dtype)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "softmax"])
def test_far_ends_are_finite_and_nan_stays_nan(name):
    y = ACTIVATIONS[name].forward(np.array([-1e4, 1e4, np.nan]))
    assert np.isfinite(y).tolist() == [True, True, False]


def test_softmax_of_large_logits_sums_to_one():
    y = ACTIVATIONS["softmax"].forward(np.array([[1e4, 1e4, -1e4]]))
    assert y.tolist() == [[0.5, 0.5, 0.0]]


def test_relu_has_slope_0_at_0():
    zero = np.zeros(1)
    assert ACTIVATIONS["relu"].backward(zero, zero, np.ones(1)) == 0
