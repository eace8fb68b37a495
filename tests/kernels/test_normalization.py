"""Sums of columns and normalisation against doubles, and the bits of rows cut into calls."""

from typing import Any

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import normalization as twin

from tests import tolerance
from tests.kernels.shapes import unaligned

kernels: Any = _core.kernels

# Around the lanes (2 to 16), the rows side by side (8 vectors), pieces of 64 rows, 512 columns.
SHAPES = [
    *((m, n) for m in (1, 2, 9, 64, 130) for n in (1, 20, 67)),
    *((33, n) for n in (2, 4, 8, 9, 15, 17, 32, 63, 64, 127, 129, 300)),
    *((70, n) for n in (511, 512, 513, 1100)),
    *((1027, n) for n in (1, 3, 5, 16, 24, 40)),
]
FUSED = [name for name in _core.activations() if name != "softmax"]


def normal(random, dtype, *shapes):
    """Unaligned arrays away from zero."""
    return [unaligned((random.normal(size=shape) + 0.5).astype(dtype)) for shape in shapes]


def wide(*arrays):
    return [None if array is None else array.astype(np.float64) for array in arrays]


def assert_sums(actual, expected, magnitudes, dtype, length):
    assert actual.shape == expected.shape
    assert (np.abs(actual - expected) <= tolerance.sums(dtype, length) * magnitudes).all()


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_column_sums_equal_numpy(isa, dtype, m, n, random):
    (x,) = normal(random, dtype, (m, n))
    (numbers,) = wide(x)
    sums = kernels.column_sums(isa, x)
    assert_sums(sums, numbers.sum(axis=0), np.abs(numbers).sum(axis=0), dtype, 64)


# --- batch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_moments_equal_the_reference(isa, dtype, m, n, random):
    (x,) = normal(random, dtype, (m, n))
    mean, squares = kernels.column_moments(isa, x)
    expected, around = twin.column_moments(x.astype(np.float64))
    magnitude = np.abs(x.astype(np.float64)).mean(axis=0)
    assert_sums(mean, expected, magnitude, dtype, 4)
    assert_sums(squares, around, around + 1e-9 * (m == 1), dtype, 64)


def test_moments_of_many_pixels_stay_accurate(isa):
    x = np.random.default_rng(1).normal(np.array([0, 3, 1000]), size=(100_000, 3))
    x = x.astype(np.float32)
    mean, squares = kernels.column_moments(isa, x)
    expected, around = twin.column_moments(x.astype(np.float64))
    np.testing.assert_allclose(mean[1:], expected[1:], rtol=2e-7)
    assert abs(mean[0] - expected[0]) < 1e-8
    np.testing.assert_allclose(squares[:2], around[:2], rtol=1e-6)
    np.testing.assert_allclose(squares[2], around[2], rtol=1e-5)


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_sums_equal_the_reference(isa, dtype, m, n, random):
    x, dy, mean, inverse = normal(random, dtype, (m, n), (m, n), n, n)
    found = kernels.batch_norm_sums(isa, x, dy, mean, inverse)
    expected = twin.batch_norm_sums(*wide(x, dy, mean, inverse))
    off = np.abs(wide(x)[0] - mean) * np.abs(inverse)
    magnitudes = np.abs(wide(dy)[0]).sum(axis=0), (np.abs(dy) * off).sum(axis=0)
    for each in zip(found, expected, magnitudes, strict=True):
        assert_sums(*each, dtype, 4)


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_input_gradient_equals_the_reference(isa, dtype, m, n, random):
    arrays = normal(random, dtype, (m, n), (m, n), n, n, n, n, n)
    dx = np.empty((m, n), dtype)
    kernels.batch_norm_backward(isa, *arrays, out=dx)
    assert tolerance.close(dx, twin.batch_norm_backward(*wide(*arrays)), tolerance.sums(dtype, 2))
    dy = arrays[1]
    kernels.batch_norm_backward(isa, *arrays, out=dy)
    assert dy.tobytes() == dx.tobytes()


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_columns_are_scaled_as_in_the_reference(isa, dtype, m, n, random):
    x, factor, offset = normal(random, dtype, (m, n), n, n)
    y = np.empty_like(x)
    kernels.scale_columns(isa, x, factor, offset, y)
    assert tolerance.close(
        y, twin.scale_columns(*wide(x, factor, offset)), tolerance.sums(dtype, 2)
    )
    kernels.scale_columns(isa, x, factor, offset, x)
    assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize("function", FUSED)
@pytest.mark.parametrize("shape", [(9, 5), (400, 24), (333, 3), (7, 300), (3, 5000)])
def test_an_activation_follows_the_scale(isa, dtype, function, shape, random):
    x, factor, offset = normal(random, dtype, shape, shape[1], shape[1])
    y, z, scaled = (np.empty_like(x) for _ in range(3))
    kernels.scale_columns(isa, x, factor, offset, y, function)
    kernels.scale_columns(isa, x, factor, offset, scaled)
    kernels.activation_forward(isa, scaled, z, function)
    assert y.tobytes() == z.tobytes()


# --- layer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), [*SHAPES, (2, 4096), (3, 4099), (2, 9000)])
@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm_equals_the_reference(isa, dtype, m, n, affine, random):
    x, dy, gamma, beta = normal(random, dtype, (m, n), (m, n), n, n)
    gamma, beta = (gamma, beta) if affine else (None, None)
    near = tolerance.sums(dtype, 64)
    y, kept = kernels.layer_norm_forward(isa, x, gamma, beta, 0.01)
    numbers, scale, offset = wide(x, gamma, beta)
    expected, exact = twin.layer_norm_forward(numbers, scale, offset, float(dtype(0.01)))
    assert tolerance.close(kept, exact, near)
    assert tolerance.close(y, expected, near)
    dx = kernels.layer_norm_backward(isa, x, dy, gamma, kept)
    slopes = twin.layer_norm_backward(*wide(x, dy, gamma, kept))
    steepest = np.abs(wide(kept)[0][:, 1:]).max() * np.abs(dy).max() * (2 if affine else 1)
    assert (np.abs(dx - slopes) <= 4 * near * steepest).all()


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_gradient_of_gamma_equals_the_reference(isa, dtype, m, n, random):
    x, dy = normal(random, dtype, (m, n), (m, n))
    kept = kernels.layer_norm_forward(isa, x, None, None, 0.1)[1]
    dgamma = kernels.layer_norm_gamma(isa, x, dy, kept)
    off = np.abs(wide(x)[0] - kept[:, :1]) * np.abs(kept[:, 1:])
    magnitudes = (np.abs(dy) * off).sum(axis=0)
    assert_sums(dgamma, twin.layer_norm_gamma(*wide(x, dy, kept)), magnitudes, dtype, 4)


def test_layer_norm_of_one_far_value_stays_accurate(isa):
    x = (np.random.default_rng(1).normal(size=(5, 1000)) + 1000).astype(np.float32)
    y = kernels.layer_norm_forward(isa, x, None, None, 1e-3)[0]
    expected = twin.layer_norm_forward(x.astype(np.float64), None, None, 1e-3)[0]
    assert np.abs(y - expected).max() < 2e-4  # half a unit of the mean: 3e-5, twice


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3, 16, 20, 64, 100, 600])
def test_rows_may_be_cut_anywhere(isa, dtype, n, random):
    m = 150
    x, dy = normal(random, dtype, (m, n), (m, n))
    per_column = normal(random, dtype, *([n] * 5))
    kept = kernels.layer_norm_forward(isa, x, per_column[0], per_column[1], 0.1)[1]

    def run(rows):
        scaled, dx = np.empty_like(x[rows]), np.empty_like(x[rows])
        kernels.scale_columns(isa, x[rows], *per_column[:2], out=scaled, activation="tanh")
        kernels.batch_norm_backward(isa, x[rows], dy[rows], *per_column, out=dx)
        y, again = kernels.layer_norm_forward(isa, x[rows], *per_column[:2], epsilon=0.1)
        back = kernels.layer_norm_backward(isa, x[rows], dy[rows], per_column[0], kept[rows])
        return [scaled, dx, y, again, back]

    parts = zip(*(run(slice(a, b)) for a, b in ((0, 1), (1, 18), (18, m))), strict=True)
    for whole, part in zip(run(slice(None)), parts, strict=True):
        assert np.concatenate(part).tobytes() == whole.tobytes()


@pytest.mark.parametrize("n", [3, 64, 600])
def test_matrices_beyond_the_caches_equal_the_reference(isa, n, random):
    m = 2_200_000 // n
    x, dy = (random.random((m, n), dtype=np.float32) for _ in range(2))
    mean, inverse = np.full(n, 0.5, np.float32), np.ones(n, np.float32)
    kept = np.tile(np.array([0.5, 1], np.float32), (m, 1))
    sums, products = kernels.batch_norm_sums(isa, x, dy, mean, inverse)
    np.testing.assert_allclose(sums, dy.sum(axis=0, dtype=np.float64), rtol=1e-6)
    dgamma = kernels.layer_norm_gamma(isa, x, dy, kept)
    np.testing.assert_allclose(dgamma, products, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(kernels.column_moments(isa, x)[0], 0.5, atol=0.05)


@pytest.mark.parametrize("n", [5, 64])
def test_nan_and_infinity_stay_in_their_column(isa, dtype, n, random):
    (x,) = normal(random, dtype, (200, n))
    x[70, 2], x[3, 4] = np.nan, np.inf
    mean, squares = kernels.column_moments(isa, x)
    finite = np.isin(np.arange(n), [2, 4], invert=True)
    assert (np.isfinite(mean) == finite).all()
    assert (np.isfinite(squares) == finite).all()
    assert np.isnan(mean[2])


@pytest.mark.parametrize("n", [5, 64])
def test_nan_stays_in_its_row(isa, dtype, n, random):
    (x,) = normal(random, dtype, (20, n))
    x[7, 3] = np.nan
    y = kernels.layer_norm_forward(isa, x, None, None, 0.1)[0]
    assert (np.isnan(y).all(axis=1) == (np.arange(20) == 7)).all()
    assert np.isfinite(np.delete(y, 7, axis=0)).all()


def test_moments_of_no_row_are_refused():
    with pytest.raises(ValueError, match="x: expected at least one row, got none"):
        kernels.column_moments("baseline", np.zeros((0, 3), np.float32))
