"""Dense kernels against NumPy in double precision, and their bits against other groupings."""

import numpy as np
import pytest
from fastnn import _core

from tests import tolerance
from tests.kernels.shapes import unaligned

kernels = _core.kernels

# Rows, inputs, outputs: around the lanes (2 to 16) and the heights of the tiles (6, 12, 14, 16).
SHAPES = [
    *((m, 5, 3) for m in (0, 1, 2, 6, 7, 12, 13, 14, 15, 16, 17, 33)),
    *((3, k, 20) for k in (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 49)),
    *((5, 20, n) for n in (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 63, 65, 130)),
    *((1, 40, n) for n in (63, 64, 127, 129, 255, 257, 300)),
    *((33, k, n) for k in (7, 31, 65) for n in (10, 17, 72)),
    (0, 0, 0),
    (64, 100, 260),
    (300, 40, 24),
    (130, 70, 1),
    # Rows whole pages apart, sums in pieces.
    (9, 300, 1030),
    (50, 270, 1024),
    (17, 40, 1024),
    # More than the nearer caches hold, in blocks.
    (800, 1400, 70),
    (1400, 800, 70),
    (800, 70, 1400),
    (200, 2700, 300),
]
FUSED = [name for name in _core.activations() if name != "softmax"]


def arrays(random, dtype, m, k, n):
    """Unaligned x, w, b and dy."""
    shapes = ((m, k), (k, n), (n,), (m, n))
    return [unaligned(random.normal(size=shape).astype(dtype)) for shape in shapes]


def assert_product(actual, a, b, start=0.0):
    """Check actual = start + a @ b, each element against the magnitudes summed in it."""
    wide_a, wide_b, start = (np.asarray(part, np.float64) for part in (a, b, start))
    magnitudes = np.abs(start) + np.abs(wide_a) @ np.abs(wide_b)
    error = np.abs(actual - (start + wide_a @ wide_b))
    assert actual.shape == error.shape
    assert (error <= tolerance.sums(actual.dtype, a.shape[1]) * magnitudes).all()


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_forward_equals_numpy(isa, dtype, m, k, n, random):
    x, w, b, _ = arrays(random, dtype, m, k, n)
    y = kernels.dense_forward(isa, x, w, b)
    assert_product(y, x, w, b)
    assert_product(kernels.dense_forward(isa, x, w, None), x, w)
    relu = kernels.dense_forward(isa, x, w, b, "relu")
    assert relu.tobytes() == np.where(y < 0, dtype(0), y).tobytes()


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_input_gradient_equals_numpy(isa, dtype, m, k, n, random):
    _, w, _, dy = arrays(random, dtype, m, k, n)
    assert_product(kernels.dense_backward_inputs(isa, dy, w), dy, w.T)


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_weight_gradient_equals_numpy(isa, dtype, m, k, n, random):
    x, _, _, dy = arrays(random, dtype, m, k, n)
    assert_product(kernels.dense_backward_weights(isa, x, dy), x.T, dy)
    assert_product(kernels.column_sums(isa, dy)[None], np.ones((1, m)), dy)


@pytest.mark.parametrize("activation", FUSED)
@pytest.mark.parametrize("n", [1, 3, 20, 70])
def test_activations_are_those_of_the_activation_kernel(isa, dtype, activation, n, random):
    x, w, b, _ = arrays(random, dtype, 9, 6, n)
    expected = kernels.dense_forward(isa, x, w, b)
    kernels.activation_forward(isa, expected, expected, activation)
    fused = kernels.dense_forward(isa, x, w, b, activation)
    assert fused.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("k", "n"), [(40, 1), (40, 7), (40, 10), (8, 64), (12, 40), (30, 37), (64, 64), (260, 1024)]
)
def test_rows_have_the_same_bits_however_they_are_grouped(isa, dtype, k, n, random):
    x, w, b, dy = arrays(random, dtype, 70, k, n)
    y = kernels.dense_forward(isa, x, w, b)
    dx = kernels.dense_backward_inputs(isa, dy, w)
    for size in (1, 2, 11, 16, 32):
        for first in range(0, 70, size):
            rows = slice(first, first + size)
            assert kernels.dense_forward(isa, x[rows], w, b).tobytes() == y[rows].tobytes()
            part = kernels.dense_backward_inputs(isa, dy[rows], w)
            assert part.tobytes() == dx[rows].tobytes()


@pytest.mark.parametrize(("k", "n"), [(40, 1), (40, 7), (40, 10), (30, 37), (64, 64), (20, 300)])
def test_weight_gradients_have_the_same_bits_however_they_are_cut(isa, dtype, k, n, random):
    x, _, _, dy = arrays(random, dtype, 33, k, n)
    dw = kernels.dense_backward_weights(isa, x, dy)
    for size in (1, 3, 14, 17):
        for begin in range(0, k, size):
            end = min(begin + size, k)
            part = kernels.dense_backward_weights(isa, x, dy, begin, end)
            assert part.tobytes() == dw[begin:end].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("n", [1, 3, 20])
@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_specials_reach_their_row_and_no_other(isa, dtype, value, n, activation, random):
    x, w, b, _ = (np.abs(array) for array in arrays(random, dtype, 9, 6, n))
    expected = kernels.dense_forward(isa, x, w, b, activation)
    expected[4] = value
    x[4, 2] = value
    y = kernels.dense_forward(isa, x, w, b, activation)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("n", [1, 3, 20])
def test_specials_reach_their_gradients_and_no_other(isa, dtype, n, random):
    x, w, _, dy = arrays(random, dtype, 9, 21, n)
    dx, dw = kernels.dense_backward_inputs(isa, dy, w), kernels.dense_backward_weights(isa, x, dy)
    dy[4, n - 1] = np.nan
    dx[4] = np.nan
    dw[:, n - 1] = np.nan
    np.testing.assert_array_equal(kernels.dense_backward_inputs(isa, dy, w), dx)
    np.testing.assert_array_equal(kernels.dense_backward_weights(isa, x, dy), dw)
