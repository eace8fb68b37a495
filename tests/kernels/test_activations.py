from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference.activations import ACTIVATIONS

from tests import tolerance
from tests.kernels.shapes import ODD_CUTS, SHAPES, SIZES, pieces, ulps, unaligned

NAMES = [name for name in ACTIVATIONS if name != "softmax"]
kernels = _core.kernels


def forward(isa, name, x):
    y = np.empty_like(x)
    kernels.activation_forward(isa, x, y, name)
    return y


def backward(isa, name, x, y, dy):
    dx = np.empty_like(x)
    kernels.activation_backward(isa, x, y, dy, dx, name)
    return dx


def grid(dtype):
    """Every magnitude from denormals to the largest, and dense where functions bend."""
    limits = np.finfo(dtype)
    spread = np.geomspace(float(limits.tiny) / 100, float(limits.max) / 2, 20001).astype(dtype)
    dense = [np.linspace(-span, span, 20001, dtype=dtype) for span in (1, 20, 110, 760)]
    special = np.array([0.0, -0.0, np.inf, -np.inf], dtype)
    return np.concatenate([spread, -spread, *dense, special])


def gelu(x):
    """x times the share below x: by a series near 0, by a continued fraction of the rest beyond."""
    size = np.minimum(np.abs(x), 50)
    near, far = np.minimum(size, 2), np.maximum(size, 2)
    term = series = near
    for k in range(3, 90, 2):
        term = term * near * near / k
        series = series + term
    fraction = far
    for k in range(100, 0, -1):
        fraction = far + k / fraction
    coarse = np.round(size * 16) / 16  # its square is exact
    density = np.exp(-coarse * coarse / 2) * np.exp(-(size - coarse) * (size + coarse) / 2)
    density /= np.sqrt(2 * np.arccos(np.longdouble(-1)))
    rest = np.where(size < 2, 0.5 - density * series, density / fraction)
    return np.maximum(x, 0) - size * rest


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


EXACT: dict[str, Any] = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x < 0, x / 100, x),
    "elu": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    "gelu": gelu,
    "sigmoid": sigmoid,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "tanh": np.tanh,
}


@cache
def exact(name, dtype):
    x = grid(dtype)
    with np.errstate(over="ignore", under="ignore"):
        return x, EXACT[name](x.astype(np.longdouble))


@pytest.mark.parametrize("name", NAMES)
def test_values_are_within_4_ulp(isa, dtype, name):
    x, y = exact(name, dtype)
    with np.errstate(over="ignore", under="ignore"):
        assert ulps(forward(isa, name, x), y).max() <= 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_forward_and_backward_equal_the_reference(isa, dtype, name, size, random):
    x, dy = (random.normal(size=size) * 3).astype(dtype), random.normal(size=size).astype(dtype)
    twin, wide = ACTIVATIONS[name], x.astype(np.float64)
    y = forward(isa, name, x)
    expected = twin.forward(wide)
    assert tolerance.close(y, expected, tolerance.sums(dtype, 1))
    dx = backward(isa, name, x, y, dy)
    expected = twin.backward(wide, y.astype(np.float64), dy.astype(np.float64))
    assert tolerance.close(dx, expected, tolerance.sums(dtype, 1))


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan_and_others_stay_clean(isa, dtype, name):
    x = np.arange(40, dtype=dtype) - 20
    x[[0, 7, 16, 33]] = np.nan
    y = forward(isa, name, x)
    assert (np.isnan(y) == np.isnan(x)).all()
    gradient = backward(isa, name, x, y, np.where(np.isnan(x), 1, x))
    assert not np.isnan(gradient[~np.isnan(x)]).any()


@pytest.mark.parametrize("name", NAMES)
def test_infinity_is_taken_to_its_limit(isa, dtype, name):
    low, high = forward(isa, name, np.array([-np.inf, np.inf], dtype))
    limits = {"identity": -np.inf, "leaky_relu": -np.inf, "elu": -1, "tanh": -1}
    assert low == limits.get(name, 0)
    assert high == (1 if name in {"sigmoid", "tanh"} else np.inf)


@pytest.mark.parametrize("name", NAMES)
def test_cuts_change_no_bit(isa, dtype, name, random):
    x, dy = (random.normal(size=100) * 3).astype(dtype), random.normal(size=100).astype(dtype)
    y = forward(isa, name, x)
    cut = np.concatenate([forward(isa, name, unaligned(part)) for part in pieces(x)])
    assert cut.tobytes() == y.tobytes()
    parts = zip(pieces(x), pieces(y), pieces(dy), strict=True)
    cut = np.concatenate([backward(isa, name, *part) for part in parts])
    assert cut.tobytes() == backward(isa, name, x, y, dy).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_output_may_be_the_input(isa, dtype, name, random):
    x, dy = random.normal(size=67).astype(dtype), random.normal(size=67).astype(dtype)
    y, dx = x.copy(), unaligned(dy)
    kernels.activation_forward(isa, y, y, name)
    assert y.tobytes() == forward(isa, name, x).tobytes()
    kernels.activation_backward(isa, x, y, dx, dx, name)
    assert dx.tobytes() == backward(isa, name, x, y, dy).tobytes()


def test_nothing_is_written_outside(isa, dtype, random):
    for start, end in pairwise(ODD_CUTS):
        out = np.full(120, 7, dtype)
        x = random.normal(size=end - start).astype(dtype)
        kernels.activation_forward(isa, x, out[start:end], "tanh")
        assert (out[:start] == 7).all()
        assert (out[end:] == 7).all()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[1] > 0])
def test_softmax_equals_the_reference(isa, dtype, shape, random):
    x, dy = (random.normal(size=shape) * 4).astype(dtype), random.normal(size=shape).astype(dtype)
    twin, wide = ACTIVATIONS["softmax"], x.astype(np.float64)
    y, expected = kernels.softmax_forward(isa, x), twin.forward(wide)
    assert tolerance.close(y, expected, tolerance.sums(dtype, shape[1]))
    dx = kernels.softmax_backward(isa, y, dy)
    expected = twin.backward(wide, expected, dy.astype(np.float64))
    assert tolerance.close(dx, expected, tolerance.sums(dtype, shape[1]))


def test_softmax_of_huge_logits_is_finite(isa, dtype):
    x = np.array([[1e30, -1e30, 0], [-1e30, -1e30, -np.inf]], dtype)
    assert kernels.softmax_forward(isa, x).tolist() == [[1, 0, 0], [0.5, 0.5, 0]]


def test_softmax_keeps_nan_in_its_row(isa, dtype):
    x = np.zeros((3, 20), dtype)
    x[1, 18] = np.nan
    assert np.isnan(kernels.softmax_forward(isa, x)).any(axis=1).tolist() == [False, True, False]


def test_unknown_activation_says_which():
    x = np.zeros(3)
    with pytest.raises(ValueError, match=r"activation: expected one of identity, relu.* got rlu"):
        kernels.activation_forward("baseline", x, x, "rlu")


def test_unknown_instruction_set_says_which():
    x = np.zeros(3)
    with pytest.raises(ValueError, match=r"isa: expected one of .*baseline, got sse9"):
        kernels.activation_forward("sse9", x, x, "relu")
