import numpy as np
import pytest
from fastnn import _core

from tests import tolerance
from tests.kernels.shapes import SHAPES, SIZES, pieces, unaligned

kernels = _core.kernels


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_gathered(isa, dtype, shape, random):
    x = unaligned(random.normal(size=shape).astype(dtype))
    rows = random.integers(0, max(shape[0], 1), 3 * shape[0]).astype(np.int32)
    assert kernels.gather_rows(isa, x, rows).tobytes() == x[rows].tobytes()
    assert kernels.gather_rows(isa, x, None).tobytes() == x.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_bytes_become_numbers_of_the_same_value(isa, dtype, shape, random):
    x = random.integers(0, 256, shape).astype(np.uint8)
    rows = random.integers(0, max(shape[0], 1), 3 * shape[0]).astype(np.int32)
    out = np.full((len(rows), shape[1]), np.nan, dtype)
    kernels.gather_bytes(isa, x, rows, out)
    assert out.tobytes() == x[rows].astype(dtype).tobytes()
    out = np.full(shape, np.nan, dtype)
    kernels.gather_bytes(isa, x, None, out)
    assert out.tobytes() == x.astype(dtype).tobytes()


def test_only_bytes_are_taken_for_bytes(isa, dtype):
    out = np.zeros((1, 2), dtype)
    with pytest.raises(TypeError, match="x: expected a native uint8 array, got int8"):
        kernels.gather_bytes(isa, np.zeros((1, 2), np.int8), None, out)


@pytest.mark.parametrize("shape", SHAPES)
def test_dot_equals_numpy(isa, dtype, shape, random):
    a, b = (unaligned(random.normal(size=shape).astype(dtype)) for _ in range(2))
    dy = random.normal(size=shape[0]).astype(dtype)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    y = kernels.dot_forward(isa, a, b)
    assert tolerance.close(y, (wide_a * wide_b).sum(axis=1), tolerance.sums(dtype, shape[1]))
    da, db = kernels.dot_backward(isa, a, b, dy)
    assert da.tobytes() == (dy[:, None] * b).tobytes()
    assert db.tobytes() == (dy[:, None] * a).tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_columns_are_copied_and_the_rest_left(isa, dtype, shape, random):
    x = random.normal(size=shape).astype(dtype)
    out = np.full((shape[0], shape[1] + 3), 7, dtype)
    kernels.copy_columns(isa, x, out)
    assert (out[:, : shape[1]] == x).all()
    assert (out[:, shape[1] :] == 7).all()


@pytest.mark.parametrize("size", SIZES)
def test_sums_products_and_scales_equal_numpy(isa, dtype, size, random):
    a, b = (unaligned(random.normal(size=size).astype(dtype)) for _ in range(2))
    out = np.empty_like(a)
    kernels.add(isa, a, b, out)
    assert out.tobytes() == (a + b).tobytes()
    kernels.multiply(isa, a, b, out)
    assert out.tobytes() == (a * b).tobytes()
    kernels.scale(isa, a, 2.5, -0.5, out)
    expected = a.astype(np.float64) * 2.5 - 0.5
    assert tolerance.close(out, expected, tolerance.sums(dtype, 1))


def test_output_may_be_an_input(isa, dtype, random):
    a, b = (random.normal(size=67).astype(dtype) for _ in range(2))
    left, right = a.copy(), b.copy()
    kernels.add(isa, left, b, left)
    kernels.multiply(isa, a, right, right)
    assert left.tobytes() == (a + b).tobytes()
    assert right.tobytes() == (a * b).tobytes()


def test_cuts_change_no_bit(isa, dtype, random):
    x = random.normal(size=100).astype(dtype)
    whole, cut = np.empty_like(x), np.empty_like(x)
    kernels.scale(isa, x, 1 / 3, 0.7, whole)
    for part, out in zip(pieces(x), pieces(cut), strict=True):
        kernels.scale(isa, part, 1 / 3, 0.7, out)
    assert cut.tobytes() == whole.tobytes()
