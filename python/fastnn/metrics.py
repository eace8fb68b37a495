"""Metrics that scikit-learn lacks: rankings over the full catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.catalogue import Lists, Scores, lists_of, subtract

Array = NDArray[Any]

__all__ = ["ranking", "ranking_of_scores"]


def ranking(
    queries: Any,
    items: Any,
    relevant: Any,
    *,
    k: int = 10,
    biases: Any = None,
    exclude: Any = None,
    n_jobs: int | None = None,
) -> dict[str, float]:
    r"""Return how well scores ``queries @ items.T`` rank the relevant items of a whole catalogue.

    Exact, without sampled candidates: those can order models differently (Krichene and Rendle, "On
    sampled metrics for item recommendation", KDD 2020). With r relevant items of a query at ranks
    :math:`\rho_1 < \dots < \rho_r` among the n candidates that compete (from 1; equal scores rank
    by the lower position):

    - precision: hits, which are ranks up to k, divided by k;
    - recall: hits divided by r;
    - map: :math:`\frac{1}{\min(k, r)} \sum_{\rho_j \le k} j / \rho_j`, average precision at k;
    - ndcg: :math:`\sum_{\rho_j \le k} 1 / \log_2(\rho_j + 1)`, divided by its largest value
      :math:`\sum_{j \le \min(k, r)} 1 / \log_2(j + 1)` (Järvelin and Kekäläinen 2002, binary);
    - mrr: :math:`1 / \rho_1`, over the full ranking;
    - auc: the share of pairs of a relevant and another candidate that are in the right order, equal
      scores counting half (over the queries that have both).

    Each is the mean over the queries with at least one relevant item. For coverage see below.

    Parameters
    ----------
    queries : array of shape (m, d)
        Vectors, as those of users.
    items : array of shape (n, d)
        Vectors of the catalogue, float32 or float64; not copied when they are C-contiguous.
    relevant : sparse matrix of shape (m, n), or (indptr, indices)
        What should rank high: the stored entries of each row, whatever their values.
    k : int
        Length of the lists that precision, recall, map, ndcg and coverage look at.
    biases : array of shape (n,), optional
        Added to the scores of the items.
    exclude : sparse matrix of shape (m, n), or (indptr, indices), optional
        Candidates that do not compete, as those seen in training. A relevant one among them counts
        for nothing.
    n_jobs : int or None
        Threads; None is what the environment grants, -1 all cores. Results do not depend on it.

    Returns
    -------
    dict
        precision, recall, map, ndcg, mrr, auc; coverage, the share of the catalogue that appears in
        the top k of any of these queries; and n_users, their number. NaN when there are none.

    Raises
    ------
    ValueError
        A number is not finite, or shapes do not match.

    Examples
    --------
    >>> items = [[4.0], [3.0], [2.0], [1.0]]
    >>> found = ranking([[1.0], [2.0]], items, ([0, 1, 3], [1, 0, 3]), k=2)
    >>> {name: round(value, 3) for name, value in found.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'precision': 0.5, 'recall': 0.75, 'map': 0.5, 'ndcg': 0.622, 'mrr': 0.75, 'auc': 0.583,
     'coverage': 0.5, 'n_users': 2}
    """
    return _ranking(Scores.of_vectors(queries, items, "dot", biases), relevant, k, exclude, n_jobs)


def ranking_of_scores(
    scores: Any,
    relevant: Any,
    *,
    k: int = 10,
    exclude: Any = None,
    n_jobs: int | None = None,
) -> dict[str, float]:
    """Return the metrics of `ranking` for a given matrix of scores.

    Parameters
    ----------
    scores : array of shape (m, n)
        Scores of n candidates for each query; -inf ranks last.
    relevant : sparse matrix of shape (m, n), or (indptr, indices)
        What should rank high.
    k : int
        Length of the lists that precision, recall, map, ndcg and coverage look at.
    exclude : sparse matrix of shape (m, n), or (indptr, indices), optional
        Candidates that do not compete.
    n_jobs : int or None
        Threads, as for `ranking`.

    Returns
    -------
    dict
        As `ranking`.

    Raises
    ------
    ValueError
        A score is NaN, or shapes do not match.

    Examples
    --------
    >>> found = ranking_of_scores([[0.9, 0.1, 0.5]], ([0, 1], [2]), k=1)
    >>> found["mrr"], found["auc"], found["precision"]
    (0.5, 0.5, 0.0)
    """
    return _ranking(Scores.of_matrix(scores), relevant, k, exclude, n_jobs)


def _ranking(
    scores: Scores, relevant: Any, k: int, exclude: Any, n_jobs: int | None
) -> dict[str, float]:
    k = check.integer("k", k, 1)
    m, n = scores.shape
    wanted, left_out = lists_of("relevant", relevant, m, n), lists_of("exclude", exclude, m, n)
    if wanted is None:
        raise check.wrong_type("relevant", "a sparse matrix or (indptr, indices)", relevant)
    wanted = subtract(wanted, left_out, n)
    queries = np.flatnonzero(np.diff(wanted.starts))
    if len(queries) < m:
        scores, wanted = scores.take(queries), wanted.take(queries)
        left_out = left_out and left_out.take(queries)
    top, _, ranks = scores.rank(k, left_out, wanted, n_jobs)
    assert ranks is not None
    competing = n - (np.diff(left_out.starts) if left_out else np.zeros(len(queries), np.int64))
    of_queries = {
        **_at_k(wanted, ranks.above + ranks.before + 1, k),
        "auc": _auc(wanted, ranks.above + (ranks.before + ranks.after) / 2, competing),
    }
    found = {name: _mean(values) for name, values in of_queries.items()}
    found["coverage"] = len(np.unique(top[top >= 0])) / n if len(queries) else np.nan
    return found | {"n_users": len(queries)}


def _at_k(relevant: Lists, ranks: Array, k: int) -> dict[str, Array]:
    """Return the metrics of each query from the ranks of its relevant items."""
    rows, r = relevant.rows(), np.diff(relevant.starts)
    ranks = ranks[np.lexsort((ranks, rows))]
    nth = np.arange(len(rows)) - relevant.starts[rows] + 1
    inside = ranks <= k
    most = np.minimum(k, r)
    best = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(2, most.max(initial=0) + 2)))])

    def sums(values: Array) -> Array:
        return np.bincount(rows, np.where(inside, values, 0), len(r))

    hits = sums(np.ones(len(rows)))
    return {
        "precision": hits / k,
        "recall": hits / r,
        "map": sums(nth / ranks) / most,
        "ndcg": sums(1 / np.log2(ranks + 1)) / best[most],
        "mrr": 1 / ranks[relevant.starts[:-1]],
    }


def _auc(relevant: Lists, ahead: Array, competing: Array) -> Array:
    """Return the area under the curve of queries that have both kinds of candidates.

    `ahead` counts the candidates above each relevant item, and half of its equals. Each pair of
    relevant items adds one to their sum, however they rank.
    """
    r = np.diff(relevant.starts)
    others = competing - r
    wrong = np.bincount(relevant.rows(), ahead, len(r)) - r * (r - 1) / 2
    both = others > 0
    found: Array = 1 - wrong[both] / (r * others)[both]
    return found


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")
