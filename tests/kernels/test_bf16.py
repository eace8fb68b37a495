"""Kernels of bfloat16 factors against NumPy, and their bits against other groupings and sets."""

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference.dense import round_to_bfloat16

from tests import tolerance
from tests.kernels.shapes import unaligned

kernels = _core.kernels

# Rows, inputs, outputs: around the lanes (4 to 16) and the heights of the tiles (1, 4, 6, 12, 14).
SHAPES = [
    *((m, 5, 3) for m in (0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 29)),
    *((3, k, 20) for k in (0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 65)),
    *((5, 21, n) for n in (0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 130)),
    *((m, 40, 70) for m in (1, 6, 7)),
    (64, 100, 260),
    (301, 33, 24),
]


def arrays(random, m, k, n):
    """Unaligned x, w, b and dy."""
    shapes = ((m, k), (k, n), (n,), (m, n))
    return [unaligned(random.normal(size=shape).astype(np.float32)) for shape in shapes]


def forward(isa, x, w, b=None, relu=False):
    rows, columns = kernels.bf16_pair_columns(isa, x), kernels.bf16_pair_rows(isa, w)
    return kernels.bf16_forward(isa, rows, columns, b, w.shape[0], w.shape[1], relu)


def backward_inputs(isa, dy, w):
    rows, columns = kernels.bf16_pair_columns(isa, dy), kernels.bf16_pair_transposed(isa, w)
    return kernels.bf16_forward(isa, rows, columns, None, w.shape[1], w.shape[0])


def backward_weights(isa, x, dy, begin=0, end=None):
    rows, columns = kernels.bf16_pair_rows(isa, x), kernels.bf16_pair_rows(isa, dy)
    end = x.shape[1] if end is None else end
    return kernels.bf16_backward_weights(isa, rows, columns, begin, end, dy.shape[1])


def assert_product(actual, a, b, start=0.0):
    """Check actual = start + a @ b of rounded factors, against the magnitudes summed."""
    wide_a, wide_b = (round_to_bfloat16(part).astype(np.float64) for part in (a, b))
    magnitudes = np.abs(start) + np.abs(wide_a) @ np.abs(wide_b)
    error = np.abs(actual - (start + wide_a @ wide_b))
    assert actual.shape == error.shape
    assert (error <= tolerance.sums(actual.dtype, a.shape[1]) * magnitudes).all()


def test_rounding_is_the_reference_s(isa, random):
    x = (random.normal(size=1003) * 10.0 ** random.integers(-30, 38, 1003)).astype(np.float32)
    ties = np.arange(0x3F800000, 0x3F880000, 0x8000).astype(np.uint32).view(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 3.4e38, -3.4e38], np.float32)
    for values in (x, ties, special):
        expected = round_to_bfloat16(values)
        found = kernels.bf16_round(isa, values)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
        # The same through pairs: the second number lies in the upper half, the first in the lower.
        pairs = kernels.bf16_pair_columns(isa, values[None])[0].view(np.uint16)[: len(values)]
        found = (pairs.astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_array_equal(found, expected)


def test_denormals_become_zeros_of_their_sign(isa):
    x = np.array([1e-40, -1e-40, 1.1754942e-38, -1.2e-38], np.float32)
    expected = np.array([0.0, -0.0, 0.0, round_to_bfloat16(x)[3]], np.float32)
    assert kernels.bf16_round(isa, x).tobytes() == expected.tobytes()


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (5, 16), (17, 31), (18, 33), (3, 70)])
def test_pairs_are_neighbours_along_the_sum_padded_with_zeros(isa, m, n, random):
    x = random.normal(size=(m, n)).astype(np.float32)
    bits = np.zeros((m + 40, n + n % 2 + 40), np.uint32)
    bits[:m, :n] = round_to_bfloat16(x).view(np.uint32) >> 16
    width, height = (-(-size // 16) * 16 for size in (n, m))
    half = -(-((n + 1) // 2) // 16) * 16
    rows = bits[: m + m % 2 : 2, :width] | bits[1 : m + m % 2 : 2, :width] << 16
    columns = bits[:, ::2] | bits[:, 1::2] << 16
    np.testing.assert_array_equal(kernels.bf16_pair_rows(isa, x), rows)
    np.testing.assert_array_equal(kernels.bf16_pair_columns(isa, x), columns[:m, :half])
    transposed = columns[:height, : (n + 1) // 2].T
    np.testing.assert_array_equal(kernels.bf16_pair_transposed(isa, x), transposed)


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_products_equal_numpy(isa, m, k, n, random):
    x, w, b, dy = arrays(random, m, k, n)
    y = forward(isa, x, w, b)
    assert_product(y, x, w, b)
    relu = forward(isa, x, w, b, relu=True)
    assert relu.tobytes() == np.where(y < 0, np.float32(0), y).tobytes()
    assert_product(backward_inputs(isa, dy, w), dy, w.T)
    assert_product(backward_weights(isa, x, dy), x.T, dy)


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_every_instruction_set_gives_the_same_bits(isa, m, k, n, random):
    """Products of bfloat16 numbers are exact, and sums follow the order of the instruction."""
    x, w, b, dy = arrays(random, m, k, n)
    for function, arguments in (
        (forward, (x, w, b)),
        (backward_inputs, (dy, w)),
        (backward_weights, (x, dy)),
    ):
        best = function(_core.instruction_sets()[0], *arguments)
        assert function(isa, *arguments).tobytes() == best.tobytes()


def test_rows_and_pieces_of_weights_have_the_same_bits_however_they_are_cut(isa, random):
    x, w, b, dy = arrays(random, 30, 67, 37)
    y, dw = forward(isa, x, w, b), backward_weights(isa, x, dy)
    for size in (1, 3, 14, 16):
        for first in range(0, 30, size):
            rows = slice(first, first + size)
            assert forward(isa, x[rows], w, b).tobytes() == y[rows].tobytes()
        for begin in range(0, 67, size):
            end = min(begin + size, 67)
            assert backward_weights(isa, x, dy, begin, end).tobytes() == dw[begin:end].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("relu", [False, True])
def test_specials_reach_their_row_and_no_other(isa, value, relu, random):
    x, w, b, _ = (np.abs(array) for array in arrays(random, 9, 7, 20))
    expected = forward(isa, x, w, b, relu)
    expected[4] = value
    x[4, 2] = value
    np.testing.assert_array_equal(forward(isa, x, w, b, relu), expected)
