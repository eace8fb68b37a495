import numpy as np
import pytest
from fastnn import _core

from tests import tolerance
from tests.kernels.shapes import SIZES, unaligned

kernels = _core.kernels
ROOM = 64  # places that select wants before it goes on


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 1])
def test_scores_above_the_threshold_are_found_in_order(isa, dtype, n, share, random):
    x = unaligned(random.random(n).astype(dtype))
    threshold = 1 - share
    scores, positions, seen = kernels.select(isa, x, threshold, 5, n + ROOM)
    assert seen == n
    assert positions.tolist() == (np.flatnonzero(x > threshold) + 5).tolist()
    assert (scores == x[x > threshold]).all()


@pytest.mark.parametrize("room", [0, ROOM - 1, ROOM, ROOM + 1, 200])
def test_a_selection_ends_where_room_is_short(isa, dtype, room, random):
    x = random.random(333).astype(dtype)
    scores, positions, seen = kernels.select(isa, x, 0.3, 0, room)
    assert (scores == x[:seen][x[:seen] > 0.3]).all()
    assert len(positions) <= room
    assert (seen > 0) == (room >= ROOM)
    rest = kernels.select(isa, x[seen:], 0.3, seen, 333 - seen + ROOM)
    assert [*positions, *rest[1]] == np.flatnonzero(x > 0.3).tolist()


def test_equal_scores_and_nan_are_not_above(isa, dtype):
    x = np.array([1, np.nan, 2, np.inf, -np.inf] * 20, dtype)
    _, positions, _ = kernels.select(isa, x, 2, 0, 164)
    assert positions.tolist() == np.flatnonzero(x == np.inf).tolist()
    _, positions, _ = kernels.select(isa, x, -np.inf, 0, 164)
    assert positions.tolist() == np.flatnonzero(x > -np.inf).tolist()


@pytest.mark.parametrize("n", SIZES)
def test_scores_are_counted(isa, dtype, n, random):
    x = unaligned(random.integers(0, 5, n).astype(dtype))
    for score in (-1, 0, 2, 2.5, 4):
        expected = ((x > score).sum(), (x == score).sum())
        assert kernels.count_scores(isa, x, score) == expected


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (1, 1), (4, 15), (5, 33), (9, 64), (2, 100)])
@pytest.mark.parametrize("d", [1, 7, 16, 33])
def test_distances_are_those_of_numpy(isa, dtype, m, n, d, random):
    q, v = random.normal(size=(m, d)).astype(dtype), random.normal(size=(n, d)).astype(dtype)
    expected = -np.linalg.norm(q[:, None].astype(np.float64) - v[None], axis=2)
    assert tolerance.close(kernels.distances(isa, q, v), expected, tolerance.sums(dtype, d))


def test_distances_do_not_depend_on_the_place_and_are_zero_for_equals(isa, dtype, random):
    q, v = random.normal(size=(9, 20)).astype(dtype), random.normal(size=(70, 20)).astype(dtype)
    whole = kernels.distances(isa, q, v)
    single = [[kernels.distances(isa, a[None], b[None])[0, 0] for b in v] for a in q]
    assert (whole == np.array(single)).all()
    assert not kernels.distances(isa, v, v).diagonal().any()
