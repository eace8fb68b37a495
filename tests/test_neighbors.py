"""The best of a catalogue: exact, in one order, whatever the blocks, threads and types."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastnn import neighbors
from fastnn.reference import topk
from scipy import sparse

from tests import tolerance

METRICS = ("dot", "cosine", "euclidean")
# queries, items, width: one block, many blocks, pieces of a catalogue, narrow products
SHAPES = ((1, 1, 1), (3, 50, 2), (1, 9001, 16), (300, 700, 5), (40, 5000, 64), (7, 600, 700))


def vectors(shape, dtype="float64", ties=True):
    """Small whole numbers: every sum is exact, and many scores are equal."""
    m, n, d = shape
    random = np.random.default_rng(0)
    shape = (m + n, d)
    drawn = random.integers(-2, 3, shape).astype(float) if ties else random.normal(size=shape)
    return drawn[:m].astype(dtype), drawn[m:].astype(dtype)


def lists(shape, share):
    return sparse.random(*shape, share, format="csr", rng=np.random.default_rng(1))


def expected_top(q, v, k, metric="dot", biases=None, exclude=None):
    scores = topk.scores(q, v, metric, biases)
    pair = None if exclude is None else (exclude.indptr, exclude.indices)
    return topk.top_k(topk.without(scores, pair), k)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [1, 10, 200])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_best_and_their_order_are_those_of_sorting(shape, k, dtype):
    q, v = vectors(shape, dtype)
    biases = np.random.default_rng(2).integers(-2, 3, shape[1]).astype(dtype)
    exclude = lists(shape[:2], 0.2)
    for given in ({}, {"biases": biases}, {"exclude": exclude}):
        positions, scores = neighbors.top_k(q, v, k, **given)
        expected = expected_top(q, v, k, **given)
        assert positions.dtype == np.int64
        assert scores.dtype == dtype
        assert (positions == expected[0]).all()
        assert (scores == expected[1]).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_of_each_metric_are_those_of_the_reference(metric, shape, dtype):
    q, v = vectors(shape, dtype, ties=False)
    positions, scores = neighbors.top_k(q, v, 10, metric=metric)
    every = topk.scores(q.astype(np.float64), v.astype(np.float64), metric)
    best = topk.top_k(every, 10)[1]
    known = np.isfinite(best)
    allowed = tolerance.sums(dtype, shape[2])
    assert (known == (positions >= 0)).all()
    assert tolerance.close(scores[known], best[known], allowed)
    own = np.take_along_axis(every, np.maximum(positions, 0), axis=1)
    assert tolerance.close(scores[known], own[known], allowed)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", SHAPES)
def test_bits_depend_neither_on_threads_nor_on_company(metric, shape):
    q, v = vectors(shape, "float32", ties=False)
    positions, scores = neighbors.top_k(q, v, 7, metric=metric, n_jobs=1)
    for n_jobs in (2, 5):
        again = neighbors.top_k(q, v, 7, metric=metric, n_jobs=n_jobs)
        assert again[0].tobytes() == positions.tobytes()
        assert again[1].tobytes() == scores.tobytes()
    for row in (0, len(q) // 2, len(q) - 1):
        alone = neighbors.top_k(q[row : row + 1], v, 7, metric=metric)
        assert alone[0].tobytes() == positions[row].tobytes()
        assert alone[1].tobytes() == scores[row].tobytes()


@pytest.mark.parametrize("shape", [(30, 40), (2, 20_000), (700, 3)])
@pytest.mark.parametrize("excluded", [0, 0.3])
def test_scores_given_are_selected_likewise(shape, excluded):
    scores = np.random.default_rng(0).integers(0, 9, shape).astype(np.float32)
    exclude = lists(shape, excluded) if excluded else None
    before = scores.copy()
    found = neighbors.top_scores(scores, 10, exclude=exclude)
    pair = None if exclude is None else (exclude.indptr, exclude.indices)
    expected = topk.top_k(topk.without(scores, pair), 10)
    assert (found[0] == expected[0]).all()
    assert (found[1] == expected[1]).all()
    assert (scores == before).all()


def test_rising_scores_replace_each_other():
    scores = np.arange(100_000, dtype=np.float64)[None]
    assert neighbors.top_scores(scores, 3)[0].tolist() == [[99_999, 99_998, 99_997]]


def test_infinite_scores_have_their_place():
    scores = [[0.0, np.inf, -np.inf, 1.0]]
    assert neighbors.top_scores(scores, 4)[0].tolist() == [[1, 3, 0, -1]]


def test_nothing_is_left_when_all_are_excluded():
    positions, scores = neighbors.top_k([[1.0]], [[1.0], [2.0]], 3, exclude=([0, 2], [0, 1]))
    assert positions.tolist() == [[-1, -1, -1]]
    assert (scores == -np.inf).all()


def test_no_queries_and_no_items_give_empty_answers():
    assert neighbors.top_k(np.empty((0, 3)), np.ones((5, 3)), 2)[0].shape == (0, 2)
    assert neighbors.top_k(np.ones((2, 3)), np.empty((0, 3)), 2)[0].tolist() == [[-1, -1]] * 2


@pytest.mark.parametrize("metric", METRICS)
def test_a_vector_of_zeros_has_a_score(metric):
    _, scores = neighbors.top_k([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]], 1, metric=metric)
    expected = [[0.0], [-5.0]] if metric == "euclidean" else [[0.0], [0.0]]
    assert scores.tolist() == expected


def test_large_numbers_are_no_error():
    big = np.full((1, 2), 1e200)
    assert neighbors.top_k([[1.0, 0.0]], big, 1)[1].tolist() == [[1e200]]


@pytest.mark.parametrize("kind", ["fortran", "strided", "swapped", "list", "float16"])
def test_arrays_of_any_kind_are_taken(kind):
    q, v = vectors((4, 30, 6))
    expected = neighbors.top_k(q, v, 5)[0].tolist()
    given = {
        "fortran": np.asfortranarray(v),
        "strided": np.repeat(v, 2, axis=0)[::2],
        "swapped": v.astype(">f8"),
        "list": v.tolist(),
        "float16": v.astype(np.float16),
    }[kind]
    assert neighbors.top_k(q, given, 5)[0].tolist() == expected


ROWS = np.ones((3, 2), np.float32)
HOLED = np.array([[1, 2], [np.nan, 3]], np.float32)
BAD = [
    (
        (ROWS, HOLED, 1),
        {},
        ValueError,
        "items: expected finite numbers, got nan at row 1, column 0",
    ),
    ((HOLED, ROWS, 1), {}, ValueError, "queries: expected finite numbers, got nan at row 1, colu"),
    ((ROWS, ROWS[:, :1], 1), {}, ValueError, "queries: expected vectors of length 1, got 2"),
    ((ROWS, ROWS[:, :0], 1), {}, ValueError, "items: expected vectors of length 1 or more, got 0"),
    ((ROWS[0], ROWS, 1), {}, ValueError, r"queries: expected shape \(n, d\), got \(2,\)"),
    ((ROWS, ROWS, 0), {}, ValueError, "k: expected an integer >= 1, got 0"),
    (
        (ROWS, ROWS, 1),
        {"metric": "l1"},
        ValueError,
        "metric: expected one of dot, cosine, euclidean",
    ),
    ((ROWS, ROWS, 1), {"biases": [1.0]}, ValueError, "biases: expected 3, one per item, got 1"),
    (
        (ROWS, ROWS, 1),
        {"biases": [1.0] * 3, "metric": "cosine"},
        ValueError,
        "biases: expected None for metric cosine, got an array",
    ),
    ((ROWS, ROWS, 1), {"exclude": 5}, TypeError, "exclude: expected a sparse matrix or"),
    ((ROWS, ROWS, 1), {"n_jobs": 0}, ValueError, "n_jobs: expected None or an integer"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "message"), BAD)
def test_bad_input_is_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        neighbors.top_k(*arguments, **options)


INTERRUPT = """if True:
    import os, signal, threading, time
    import numpy as np
    from fastnn import neighbors
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    v = np.random.default_rng(0).normal(size=(200_000, 32)).astype(np.float32)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        for _ in range(1000):
            begun = time.perf_counter()
            neighbors.top_k(v[:20_000], v, 10)
    except KeyboardInterrupt:
        print(time.perf_counter() - begun)
    else:
        raise SystemExit("not interrupted")
"""


def test_an_interrupt_ends_a_long_search():
    command = [sys.executable, "-c", INTERRUPT]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2.0, "0.2 s until the signal; a busy machine adds its own"


# --- Neighbors -----------------------------------------------------------------------------------


def kinds():
    return [
        "exact",
        pytest.param(
            "approximate",
            marks=pytest.mark.skipif(not _has_usearch(), reason="usearch is not installed"),
        ),
    ]


def _has_usearch():
    try:
        import usearch.index  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("index", kinds())
@pytest.mark.parametrize("metric", METRICS)
def test_neighbors_of_labels_leave_the_label_out(index, metric):
    q, v = vectors((5, 200, 8), "float32", ties=False)
    words = np.array([f"w{i}" for i in range(200)])
    found = neighbors.Neighbors(v, words, metric=metric, index=index)
    labels, scores = found.query(["w3", "w7"], n=4)
    exclude = ([0, 1, 2], [3, 7])
    expected = neighbors.top_k(v[[3, 7]], v, 4, metric=metric, exclude=exclude)
    assert labels.tolist() == words[expected[0]].tolist()
    np.testing.assert_allclose(scores, expected[1], rtol=1e-6)
    single = found.query("w3", n=4)
    assert single[0].tolist() == labels[0].tolist()
    near = found.query(q, n=300)
    assert near[0].shape == (5, 200)
    assert (near[0][:, :3] == words[neighbors.top_k(q, v, 3, metric=metric)[0]]).all()


def test_positions_are_labels_where_none_are_given():
    _, v = vectors((1, 20, 3), ties=False)
    found = neighbors.Neighbors(v)
    assert len(found) == 20
    assert found.query(4, n=50)[0].shape == (19,)
    assert found.query(np.int64(4))[0].tolist() == found.query([4])[0][0].tolist()


def test_a_single_vector_has_no_neighbors():
    assert neighbors.Neighbors([[1.0]]).query(0)[0].tolist() == []


def test_labels_of_any_type_are_found():
    labels = np.array([("a", 1), "b", 3], object)
    found = neighbors.Neighbors([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], ["x", "y", "z"])
    assert found.query(["x"], 1)[0].tolist() == [["y"]]
    numbers = neighbors.Neighbors([[1.0], [2.0]], np.array([10, 20]), metric="euclidean")
    assert numbers.query(20, 1)[0].tolist() == [10]
    days = np.array(["2024-01-01", "2024-01-02"], "M8[D]")
    dated = neighbors.Neighbors([[1.0], [2.0]], days)
    assert dated.query(days[:1], 1)[0].tolist() == [[days[1].item()]]
    assert labels.dtype == object


BAD_NEIGHBORS = [
    (lambda: neighbors.Neighbors(HOLED), "vectors: expected finite numbers, got nan"),
    (lambda: neighbors.Neighbors(ROWS[:0]), "vectors: expected at least one, got none"),
    (lambda: neighbors.Neighbors(ROWS, ["a"]), "labels: expected 3, one per vector, got 1"),
    (
        lambda: neighbors.Neighbors(ROWS, list("aba")),
        "labels: expected no two equal ones, got 'a' tw",
    ),
    (
        lambda: neighbors.Neighbors(ROWS, list("abc")).query("d"),
        "labels: expected a label of the ve",
    ),
    (lambda: neighbors.Neighbors(ROWS).query(3), r"labels: expected an integer in \[0, 2\], got 3"),
    (lambda: neighbors.Neighbors(ROWS).query(ROWS[:, :1]), "vectors: expected vectors of length 2"),
    (lambda: neighbors.Neighbors(ROWS, index="tree"), "index: expected one of exact, approximate"),
    (lambda: neighbors.Neighbors(ROWS, metric="l1"), "metric: expected one of dot, cosine, eucl"),
    (lambda: neighbors.Neighbors(ROWS).query(0, n=0), "n: expected an integer >= 1, got 0"),
]


@pytest.mark.parametrize(("call", "message"), BAD_NEIGHBORS)
def test_bad_neighbors_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ImportError, match=r"usearch: pip install 'fastnn\[ann\]'"):
        neighbors.Neighbors(ROWS, index="approximate")
