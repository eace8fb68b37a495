"""Rankings over the full catalogue: against definitions written out, and scikit-learn's."""

import numpy as np
import pytest
from fastnn import metrics, neighbors
from scipy import sparse
from sklearn.metrics import ndcg_score, roc_auc_score

K = 5


def case(seed, m=40, n=60, levels=8):
    """Scores with ties, relevant items and excluded ones, some queries without either."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, (m, n)).astype(np.float32)
    relevant = random.random((m, n)) < random.choice([0, 0.02, 0.2], (m, 1))
    exclude = random.random((m, n)) < random.choice([0, 0.1, 0.5], (m, 1))
    return scores, relevant, exclude


def by_definition(scores, relevant, exclude, k):
    """Return the metrics, one query at a time."""
    kept, seen = [], set()
    for row, wanted, left_out in zip(scores, relevant, exclude, strict=True):
        order = [p for p in np.argsort(-row, kind="stable") if not left_out[p]]
        hits = np.array([wanted[p] for p in order])
        r = hits.sum()
        if not r:
            continue
        ranks = np.flatnonzero(hits) + 1
        top = ranks[ranks <= k]
        best = (1 / np.log2(np.arange(2, min(k, r) + 2))).sum()
        auc = roc_auc_score(hits, row[order]) if r < len(hits) else np.nan
        kept.append(
            {
                "precision": len(top) / k,
                "recall": len(top) / r,
                "map": sum((j + 1) / rank for j, rank in enumerate(top)) / min(k, r),
                "ndcg": (1 / np.log2(top + 1)).sum() / best,
                "mrr": 1 / ranks[0],
                "auc": auc,
            }
        )
        seen |= set(order[:k])
    means = {name: np.nanmean([found[name] for found in kept]) for name in kept[0]}
    return means | {"coverage": len(seen) / scores.shape[1], "n_users": len(kept)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, K, 70])
def test_metrics_are_their_definitions(seed, k):
    scores, relevant, exclude = case(seed)
    found = metrics.ranking_of_scores(
        scores, sparse.csr_matrix(relevant), k=k, exclude=sparse.csr_matrix(exclude)
    )
    expected = by_definition(scores, relevant, exclude, k)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", ["items", "biases"])
def test_vectors_give_the_metrics_of_their_scores(metric):
    random = np.random.default_rng(0)
    queries = random.integers(-2, 3, (70, 9)).astype(np.float32)
    items = random.integers(-2, 3, (333, 9)).astype(np.float32)
    biases = random.integers(-2, 3, 333).astype(np.float32) if metric == "biases" else None
    _, relevant, exclude = case(1, 70, 333)
    matrices = sparse.csr_matrix(relevant), sparse.csr_matrix(exclude)
    scores = queries @ items.T + (0 if biases is None else biases)
    for n_jobs in (1, 3):
        found = metrics.ranking(
            queries, items, matrices[0], k=K, biases=biases, exclude=matrices[1], n_jobs=n_jobs
        )
        assert found == pytest.approx(by_definition(scores, relevant, exclude, K), rel=1e-12)


def test_ndcg_is_that_of_scikit_learn():
    random = np.random.default_rng(2)
    scores = random.normal(size=(30, 50))
    relevant = random.random((30, 50)) < 0.1
    relevant[:, 0] = True
    found = metrics.ranking_of_scores(scores, sparse.csr_matrix(relevant), k=10)["ndcg"]
    assert found == pytest.approx(ndcg_score(relevant, scores, k=10), rel=1e-12)


def test_indptr_and_indices_are_a_sparse_matrix():
    scores, relevant, _ = case(3)
    matrix = sparse.csr_matrix(relevant)
    shuffled = np.concatenate([row.indices[::-1] for row in matrix])
    twice = np.repeat(shuffled, 2)
    expected = metrics.ranking_of_scores(scores, matrix)
    assert metrics.ranking_of_scores(scores, (matrix.indptr, shuffled)) == expected
    assert metrics.ranking_of_scores(scores, (matrix.indptr * 2, twice)) == expected
    assert metrics.ranking_of_scores(scores, sparse.coo_matrix(relevant)) == expected


def test_stored_zeros_count_as_entries():
    zeros = sparse.csr_matrix((np.zeros(1), [1], [0, 1]), shape=(1, 2))
    assert metrics.ranking_of_scores([[1.0, 2.0]], zeros, k=1)["precision"] == 1


def test_no_relevant_item_leaves_nothing_to_measure():
    found = metrics.ranking_of_scores(np.ones((3, 4)), sparse.csr_matrix((3, 4)))
    assert found.pop("n_users") == 0
    assert np.isnan(list(found.values())).all()


def test_a_catalogue_of_relevant_items_has_no_auc():
    found = metrics.ranking_of_scores([[1.0, 2.0]], ([0, 2], [0, 1]), k=2)
    assert found["precision"] == found["ndcg"] == found["mrr"] == 1
    assert np.isnan(found["auc"])


def test_the_top_is_that_of_top_k():
    scores, relevant, exclude = case(5)
    rows = relevant.any(axis=1)
    top, _ = neighbors.top_scores(scores, K, exclude=sparse.csr_matrix(exclude))
    hits = np.take_along_axis(relevant & ~exclude, np.maximum(top, 0), axis=1) & (top >= 0)
    kept = (relevant & ~exclude).any(axis=1)
    found = metrics.ranking_of_scores(
        scores, sparse.csr_matrix(relevant), k=K, exclude=sparse.csr_matrix(exclude)
    )
    assert kept.sum() <= rows.sum()
    assert found["precision"] == pytest.approx(hits[kept].mean())


MATRIX = np.ones((2, 3))
BAD = [
    (
        (MATRIX, None),
        TypeError,
        r"relevant: expected a sparse matrix or \(indptr, indices\), got N",
    ),
    ((MATRIX, MATRIX), TypeError, r"relevant: expected a sparse matrix or \(indptr, indices\)"),
    ((MATRIX, sparse.csr_matrix((2, 4))), ValueError, r"relevant: expected shape \(2, 3\), got \("),
    ((MATRIX, ([0, 1], [0])), ValueError, "relevant: expected indptr of 3 numbers, got 2"),
    ((MATRIX, ([0, 2, 1], [0])), ValueError, "relevant: expected indptr that rises from 0 to 1"),
    ((MATRIX, ([0, 1, 1], [3])), ValueError, r"relevant: expected positions in \[0, 3\), got 3"),
    ((MATRIX, ([0, 1, 1], [-1])), ValueError, r"relevant: expected positions in \[0, 3\), got -1"),
    ((MATRIX, ([0, 1, 1], [0.5])), TypeError, "relevant: expected integers in indptr and indices"),
    (
        (MATRIX * np.nan, ([0, 0, 0], [])),
        ValueError,
        "scores: expected numbers, got nan at row 0, c",
    ),
    ((MATRIX[0], ([0, 0, 0], [])), ValueError, r"scores: expected shape \(m, n\), got \(3,\)"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        metrics.ranking_of_scores(*arguments)
    with pytest.raises(ValueError, match="k: expected an integer >= 1, got 0"):
        metrics.ranking_of_scores(MATRIX, ([0, 0, 0], []), k=0)
