"""The best of a catalogue: exact top-k by dot product, cosine or distance; nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import catalogue, check, data, threads
from fastnn.catalogue import Scores, lists_of

Array = NDArray[Any]

__all__ = ["Neighbors", "top_k", "top_scores"]

_KINDS = {"cosine": "cos", "dot": "ip", "euclidean": "l2sq"}  # the names of usearch


def top_k(
    queries: Any,
    items: Any,
    k: int,
    *,
    biases: Any = None,
    exclude: Any = None,
    metric: str = "dot",
    n_jobs: int | None = None,
) -> tuple[NDArray[np.int64], Array]:
    """Return the k items of a catalogue that score highest for each query.

    Exact: every item is scored. The scores of a block of queries and items are never stored longer
    than a cache holds them, and the items are read where they lie.

    Parameters
    ----------
    queries : array of shape (m, d)
        Vectors, as those of users; converted to the type of the items.
    items : array of shape (n, d)
        Vectors of the catalogue, float32 or float64; C-contiguous ones are not copied. Others are
        converted: float16 to float32, integers to float64.
    k : int
        How many, >= 1.
    biases : array of shape (n,), optional
        Added to the scores of the items; for the metric "dot" alone.
    exclude : sparse matrix of shape (m, n), or (indptr, indices), optional
        Candidates that are left out for each query: the stored entries of each row, whatever their
        values.
    metric : {"dot", "cosine", "euclidean"}, default "dot"
        The score of q and v: ``q . v + bias``, ``q . v / (|q| |v|)`` (0 for a vector of zeros), or
        ``-|q - v|``.
    n_jobs : int or None
        Threads; None is what the environment grants, -1 all cores. Results do not depend on it.

    Returns
    -------
    positions : array of int64 of shape (m, k)
        Rows of `items`, best first, equal scores by the lower position; -1 where fewer than k
        candidates are left.
    scores : array of shape (m, k)
        Their scores, in the type of the items; -inf where there is none.

    Raises
    ------
    ValueError
        A number is not finite, or shapes do not match.

    Examples
    --------
    >>> positions, scores = top_k([[1.0, 2.0]], [[1.0, 0.0], [3.0, 1.0], [0.0, 2.0]], 2)
    >>> positions, scores
    (array([[1, 2]]), array([[5., 4.]]))
    >>> top_k([[1.0, 2.0]], [[1.0, 0.0], [3.0, 1.0]], 2, exclude=([0, 1], [1]))[0]
    array([[ 0, -1]])
    """
    k = check.integer("k", k, 1)
    scores = Scores.of_vectors(queries, items, metric, biases)
    return scores.best(k, lists_of("exclude", exclude, *scores.shape), n_jobs)


def top_scores(
    scores: Any, k: int, *, exclude: Any = None, n_jobs: int | None = None
) -> tuple[NDArray[np.int64], Array]:
    """Return the k highest scores of each row of a matrix, as `top_k` does for vectors.

    Parameters
    ----------
    scores : array of shape (m, n)
        Scores of n candidates; -inf leaves one out. float32 and float64 stay as they are.
    k : int
        How many, >= 1.
    exclude : sparse matrix of shape (m, n), or (indptr, indices), optional
        Candidates that are left out for each row.
    n_jobs : int or None
        Threads, as for `top_k`.

    Returns
    -------
    positions : array of int64 of shape (m, k)
        Columns, best first, equal scores by the lower one; -1 where fewer than k are left.
    scores : array of shape (m, k)
        Their scores; -inf where there is none.

    Raises
    ------
    ValueError
        A score is NaN, or shapes do not match.

    Examples
    --------
    >>> top_scores([[0.5, 2.0, 2.0, 1.0]], 3)
    (array([[1, 2, 3]]), array([[2., 2., 1.]]))
    """
    k = check.integer("k", k, 1)
    given = Scores.of_matrix(scores)
    return given.best(k, lists_of("exclude", exclude, *given.shape), n_jobs)


class Neighbors:
    """Nearest neighbours among vectors with labels.

    Parameters
    ----------
    vectors : array of shape (n, d)
        float32 or float64; C-contiguous ones are not copied.
    labels : array-like (n,), optional
        Names of the vectors, of any type that can be a key, no two equal; None for their
        positions.
    metric : {"cosine", "dot", "euclidean"}, default "cosine"
        What is near, as for `top_k`.
    index : {"exact", "approximate"}, default "exact"
        Exact search looks at every vector. The approximate one walks a graph of neighbours (HNSW:
        Malkov and Yashunin, arXiv:1603.09320, in the package usearch): for millions of vectors,
        where a query costs microseconds and a neighbour may be missed; it keeps a copy of the
        vectors. Scores are exact with both.
    n_jobs : int or None
        Threads; None is what the environment grants, -1 all cores. Building an approximate index
        on several threads depends on their timing.

    Raises
    ------
    ImportError
        The approximate index needs usearch: ``pip install 'fastnn[ann]'``.

    Examples
    --------
    >>> towns = Neighbors([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], ["bern", "thun", "rome"])
    >>> towns.query("bern", n=1)[0]
    array(['thun'], dtype='<U4')
    >>> labels, scores = towns.query([[0.0, 2.0]], n=2)
    >>> labels
    array([['rome', 'thun']], dtype='<U4')
    """

    def __init__(
        self,
        vectors: Any,
        labels: Any = None,
        *,
        metric: str = "cosine",
        index: str = "exact",
        n_jobs: int | None = None,
    ) -> None:
        self.metric = check.choice("metric", metric, catalogue.METRICS)
        self.index = check.choice("index", index, ("exact", "approximate"))
        self.n_jobs = n_jobs
        self.vectors = catalogue.vectors_of("vectors", vectors)
        if not len(self.vectors):
            raise check.wrong_value("vectors", "at least one", "none")
        self.labels, self._places = _labelled(labels, len(self.vectors))
        self._graph = _graph(self.vectors, metric, n_jobs) if index == "approximate" else None

    def __len__(self) -> int:
        return len(self.vectors)

    def query(self, given: Any, n: int = 10) -> tuple[Array, Array]:
        """Return the nearest neighbours of vectors, or of labels.

        Parameters
        ----------
        given : array of shape (m, d), or a label, or labels (m,)
            Vectors to look near; or labels, which are not among their own neighbours.
        n : int
            At most this many for each.

        Returns
        -------
        labels : array of shape (m, n), (n,) for a single label
            Neighbours, nearest first.
        scores : array of the same shape
            Their scores, the higher the nearer: cosine, dot product or minus the distance.

        Raises
        ------
        ValueError
            A label is unknown, or vectors have another length.
        """
        n = check.integer("n", n, 1)
        if _is_matrix(given):
            vectors = catalogue.vectors_of(
                "vectors", given, str(self.vectors.dtype), self.vectors.shape[1]
            )
            positions, scores = self._search(vectors, min(n, len(self)), None)
            return self.labels[positions], scores
        single = not isinstance(given, Sequence | np.ndarray) or isinstance(given, str | bytes)
        own = np.array([self._place(label) for label in ([given] if single else given)], np.int64)
        positions, scores = self._search(self.vectors[own], min(n, len(self) - 1), own)
        labels = self.labels[positions]
        return (labels[0], scores[0]) if single else (labels, scores)

    def _place(self, label: Any) -> int:
        try:
            if self._places is not None:
                return self._places[label.item() if isinstance(label, np.generic) else label]
            return check.integer("labels", label, 0, len(self) - 1)
        except (KeyError, TypeError):
            raise check.wrong_value("labels", "a label of the vectors", repr(label)) from None

    def _search(self, asked: Array, n: int, own: Array | None) -> tuple[Array, Array]:
        """Return positions and scores (m, n), without the positions `own` (m,)."""
        m = len(asked)
        if n == 0:
            return np.empty((m, 0), np.int64), np.empty((m, 0), asked.dtype)
        if self._graph is None:
            lists = None if own is None else (np.arange(m + 1), own)
            exclude = lists_of("exclude", lists, m, len(self))
            return Scores(asked, self.vectors, self.metric).best(n, exclude, self.n_jobs)
        return self._walk(asked, n, own)

    def _walk(self, asked: Array, n: int, own: Array | None) -> tuple[Array, Array]:
        """Search the graph; what it finds is scored exactly and put in order."""
        wanted = n + (own is not None)
        assert self._graph is not None
        found = self._graph.search(asked, wanted, threads=threads.resolve(self.n_jobs))
        positions = np.empty((len(asked), n), np.int64)
        scores = np.empty((len(asked), n), asked.dtype)
        counts = getattr(found, "counts", [len(found.keys)])  # of one query there are none
        for row, (keys, count) in enumerate(zip(np.atleast_2d(found.keys), counts, strict=True)):
            places = np.sort(keys[:count].astype(np.int64))
            if own is not None:
                places = places[places != own[row]]
            if len(places) < n:  # a part of the graph that no edge leads out of
                places = np.delete(np.arange(len(self)), [] if own is None else own[row])
            query = Scores(asked[row : row + 1], self.vectors[places], self.metric)
            best, scores[row] = query.best(n, None, 1)
            positions[row] = places[best[0]]
        return positions, scores


def _graph(vectors: Array, metric: str, n_jobs: int | None) -> Any:
    """Return an index of usearch over the vectors."""
    try:
        from usearch.index import Index
    except ImportError:
        message = "index: approximate search needs usearch: pip install 'fastnn[ann]'"
        raise ImportError(message) from None
    graph = Index(ndim=vectors.shape[1], metric=_KINDS[metric], dtype="f32")
    graph.add(np.arange(len(vectors)), vectors.astype(np.float32), threads=threads.resolve(n_jobs))
    return graph


def _labelled(labels: Any, n: int) -> tuple[Array, dict[Any, int] | None]:
    """Return the labels of n vectors, and the place of each (None: labels are the places)."""
    if labels is None:
        return np.arange(n), None
    names = data.one_dimensional("labels", labels)
    if len(names) != n:
        raise check.wrong_value("labels", f"{n}, one per vector", len(names))
    places = {label: place for place, label in enumerate(names.tolist())}
    if len(places) != n:
        words = names.tolist()
        twice = next(label for place, label in enumerate(words) if places[label] != place)
        raise check.wrong_value("labels", "no two equal ones", f"{twice!r} twice")
    return names, places


def _is_matrix(given: Any) -> bool:
    if isinstance(given, list | tuple):
        return bool(given) and isinstance(given[0], list | tuple | np.ndarray)
    return getattr(given, "ndim", 1) == 2
