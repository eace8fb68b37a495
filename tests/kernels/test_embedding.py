from itertools import pairwise

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference.embedding import bag_backward, bag_forward, embedding_backward

from tests import tolerance
from tests.kernels.shapes import unaligned

kernels = _core.kernels
WIDTHS = (1, 7, 8, 9, 16, 17, 50, 64, 67, 130)
MODES = ("sum", "mean", "sqrtn", "max")
NO_PADDING = -1


@pytest.mark.parametrize("d", WIDTHS)
def test_lookup_copies_rows(isa, dtype, d, random):
    table = unaligned(random.normal(size=(20, d)).astype(dtype))
    for count in (0, 1, 9, 100):
        ids = random.integers(0, 20, count).astype(np.int32)
        assert kernels.embedding_forward(isa, table, ids).tobytes() == table[ids].tobytes()


@pytest.mark.parametrize("v", [1, 2, 255, 3706, 65536, 65537, 5_000_000])
@pytest.mark.parametrize("count", [0, 1, 2, 300, 1024, 9000])
def test_ids_are_sorted_stably_with_their_starts(isa, v, count, random):
    ids = random.integers(0, v, count).astype(np.int32)
    if count > 2:
        ids[[0, count // 2, -1]] = v - 1
    order, rows, starts = kernels.sort_ids(isa, ids, v)
    assert order.tolist() == np.argsort(ids, kind="stable").tolist()
    expected_rows, expected_counts = np.unique(ids, return_counts=True)
    assert rows.tolist() == expected_rows.tolist()
    assert starts.tolist() == [0, *np.cumsum(expected_counts)]


@pytest.mark.parametrize("d", WIDTHS)
def test_sums_of_rows_run_in_the_order_given(isa, dtype, d, random):
    dy = random.normal(size=(50, d)).astype(dtype)
    starts = np.cumsum([0, 1, 2, 1, 5, 40, 9, 1, 1, 1]).astype(np.int32)
    order = random.integers(0, 50, starts[-1]).astype(np.int32)
    expected = np.zeros((len(starts) - 1, d), dtype)
    for row, (start, end) in enumerate(pairwise(starts)):
        for position in order[start:end]:
            expected[row] += dy[position]
    assert (kernels.embedding_sums(isa, starts, order, dy) == expected).all()


def test_no_lookups_have_no_sums(isa, dtype):
    nothing = np.zeros(0, np.int32)
    sums = kernels.embedding_sums(isa, np.zeros(1, np.int32), nothing, np.zeros((0, 3), dtype))
    assert sums.shape == (0, 3)


@pytest.mark.parametrize("d", [1, 16, 19])
def test_sorted_sums_are_the_gradient_of_the_reference(isa, dtype, d, random):
    ids = random.integers(0, 11, 64).astype(np.int32)
    dy = random.normal(size=(64, d)).astype(dtype)
    order, rows, starts = kernels.sort_ids(isa, ids, 11)
    sums = kernels.embedding_sums(isa, starts, order, dy)
    expected = embedding_backward(ids, dy.astype(np.float64))
    assert rows.tolist() == expected.rows.tolist()
    assert tolerance.close(sums, expected.values, tolerance.sums(dtype, 64))


def bags(dtype, d, random, weighted):
    """A table, bags with padding (one empty, one full), weights, and a gradient."""
    table = random.normal(size=(11, d)).astype(dtype)
    ids = random.integers(0, 11, (9, 5)).astype(np.int32)
    ids[0], ids[1] = 3, (1, 2, 4, 4, 5)
    weights = random.uniform(0.5, 2, ids.shape).astype(dtype) if weighted else None
    return table, ids, weights, random.normal(size=(9, d)).astype(dtype)


@pytest.mark.parametrize(
    ("mode", "weighted"),
    [*((mode, False) for mode in MODES), *((mode, True) for mode in MODES[:3])],
)
@pytest.mark.parametrize("d", [1, 8, 16, 19])
@pytest.mark.parametrize("padding", [NO_PADDING, 3])
def test_bags_equal_the_reference(isa, dtype, mode, d, padding, weighted, random):
    table, ids, weights, dy = bags(dtype, d, random, weighted)
    held, wide = ids != padding, table.astype(np.float64)
    ones = np.ones(ids.shape) if weights is None else weights.astype(np.float64)
    bound = tolerance.sums(dtype, 4 * d)
    y, chosen = kernels.bag_forward(isa, mode, table, ids, padding, weights)
    assert tolerance.close(y, bag_forward(wide, ids, ones, held, mode), bound)
    arguments = padding, weights, chosen, y, dy
    dy_ids, dweights = kernels.bag_backward(isa, mode, table, ids, *arguments)
    rows, expected = bag_backward(wide, ids, ones, held, mode, dy.astype(np.float64))
    dense = np.zeros_like(wide)
    np.add.at(dense, ids.ravel(), dy_ids)
    assert tolerance.close(dense, rows.to_dense(len(table)), bound)
    assert not dy_ids[~held.ravel()].any()
    if mode != "max":
        assert tolerance.close(dweights, expected, bound)


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_bag_gives_zeros(isa, dtype, mode):
    table = np.ones((4, 17), dtype)
    y, chosen = kernels.bag_forward(isa, mode, table, np.full((2, 3), 1, np.int32), 1, None)
    assert not y.any()
    if mode == "max":
        assert (chosen == -1).all()


@pytest.mark.parametrize("mode", ["mean", "sqrtn"])
def test_weights_of_zero_give_zeros(isa, dtype, mode):
    table, ids = np.ones((4, 5), dtype), np.array([[0, 1, 2]], np.int32)
    y, _ = kernels.bag_forward(isa, mode, table, ids, NO_PADDING, np.zeros((1, 3), dtype))
    assert not y.any()


def test_first_of_equal_maxima_is_chosen(isa, dtype):
    table = np.array([[1, 5], [1, 5], [0, 6]], dtype)
    y, chosen = kernels.bag_forward(
        isa, "max", table, np.array([[2, 0, 1]], np.int32), NO_PADDING, None
    )
    assert y.tolist() == [[1, 6]]
    assert chosen.tolist() == [[1, 0]]


def test_ids_outside_the_table_are_refused():
    ids = np.array([0, 4], np.int32)
    with pytest.raises(ValueError, match=r"ids: expected values in \[0, 4\), got 4 at position 1"):
        kernels.embedding_forward("baseline", np.zeros((4, 2)), ids)
