"""Queries against a whole catalogue: arguments checked once, then scored and ranked in the core."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import _core, check, data, threads

Array = NDArray[Any]

METRICS = ("dot", "cosine", "euclidean")
_LARGEST = 2**31 - 1  # positions are counted in 32 bits inside


class Lists(NamedTuple):
    """Candidates of each query: ``positions[starts[i] : starts[i + 1]]``, rising."""

    starts: NDArray[np.int64]
    positions: NDArray[np.int32]

    def rows(self) -> NDArray[np.int64]:
        """Return the query of each position."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def take(self, queries: NDArray[np.int64]) -> Lists:
        """Return the lists of some queries, in their order."""
        sizes = np.diff(self.starts)[queries]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        shift = np.repeat(self.starts[queries] - starts[:-1], sizes)
        return Lists(starts, self.positions[shift + np.arange(starts[-1])])


class Ranks(NamedTuple):
    """How many candidates stand against each relevant one.

    `above`: those of a higher score. `before` and `after`: those of the same score at a lower and
    at a higher position.
    """

    above: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


class Scores:
    """A matrix of scores (m, n), given as it is or as the vectors it follows from."""

    def __init__(
        self,
        queries: Array,
        items: Array | None = None,
        metric: str = "dot",
        biases: Array | None = None,
    ) -> None:
        self.queries, self.items, self.metric, self.biases = queries, items, metric, biases

    @classmethod
    def of_vectors(
        cls, queries: Any, items: Any, metric: str = "dot", biases: Any = None
    ) -> Scores:
        """Check vectors (m, d) and (n, d); those that are ready are not copied."""
        metric = check.choice("metric", metric, METRICS)
        vectors = vectors_of("items", items, checked=False)
        asked = vectors_of("queries", queries, str(vectors.dtype), vectors.shape[1])
        if biases is None:
            return cls(asked, vectors, metric)
        if metric != "dot":
            raise check.wrong_value("biases", f"None for metric {metric}", "an array")
        found = data.convert_floats("biases", biases, (), str(vectors.dtype))
        if len(found) != len(vectors):
            raise check.wrong_value("biases", f"{len(vectors)}, one per item", len(found))
        return cls(asked, vectors, metric, found)

    @classmethod
    def of_matrix(cls, scores: Any) -> Scores:
        """Check a matrix of scores (m, n), which may hold infinities."""
        array, _ = data.native("scores", scores)
        array = _floating("scores", array)
        _check_rank("scores", array, "m, n")
        if np.isnan(array).any():
            row, column = np.argwhere(np.isnan(array))[0]
            got = f"nan at row {row}, column {column}"
            raise check.wrong_value("scores", "numbers", got)
        return cls(np.require(array, requirements=["C", "A"]))

    @property
    def shape(self) -> tuple[int, int]:
        """Queries and candidates."""
        if self.items is None:
            return self.queries.shape[0], self.queries.shape[1]
        return len(self.queries), len(self.items)

    def take(self, queries: NDArray[np.int64]) -> Scores:
        """Return the scores of some queries."""
        return Scores(self.queries[queries], self.items, self.metric, self.biases)

    def best(
        self, k: int, exclude: Lists | None, n_jobs: int | None
    ) -> tuple[NDArray[np.int64], Array]:
        """Return positions and scores (m, k) of the best candidates."""
        found = self.rank(k, exclude, None, n_jobs)
        return found[0], found[1]

    def rank(
        self, k: int, exclude: Lists | None, relevant: Lists | None, n_jobs: int | None
    ) -> tuple[NDArray[np.int64], Array, Ranks | None]:
        """Return the best candidates and, of relevant ones that are not excluded, the ranks."""
        exact = (self.queries, self.items, k, self.metric, self.biases, exclude, relevant)
        found = _core.rank(*exact, threads.resolve(n_jobs), True)
        if found is None:
            self._refuse()
            found = _core.rank(*exact, threads.resolve(n_jobs), False)
        assert found is not None
        positions, scores, counts = found
        return positions, scores, Ranks(*counts) if relevant else None

    def _refuse(self) -> None:
        """Name the number of the items that is not finite, if there is one."""
        items = self.items
        assert items is not None
        data.convert_floats("items", items, items.shape[1:], str(items.dtype))


def vectors_of(
    argument: str,
    given: Any,
    dtype: str | None = None,
    width: int | None = None,
    *,
    checked: bool = True,
) -> Array:
    """Return finite vectors (n, d), by default float32 if they are, else float64.

    Without `checked`, arrays that need no conversion are taken for finite: the core looks at them
    as it reads them.
    """
    if not isinstance(given, np.ndarray):
        given, _ = data.native(argument, given)
    _check_rank(argument, given, "n, d")
    if width is not None and given.shape[1] != width:
        raise check.wrong_value(argument, f"vectors of length {width}", given.shape[1])
    if not given.shape[1]:
        raise check.wrong_value(argument, "vectors of length 1 or more", 0)
    if len(given) > _LARGEST:
        raise check.wrong_value(argument, f"at most {_LARGEST} vectors", len(given))
    if dtype is None:
        dtype = "float32" if given.dtype in (np.float32, np.float16) else "float64"
    ready = given.flags.c_contiguous and given.flags.aligned and given.dtype is np.dtype(dtype)
    if ready and not checked:
        vectors: Array = given
        return vectors
    return data.convert_floats(argument, given, given.shape[1:], dtype)


def lists_of(argument: str, given: Any, m: int, n: int) -> Lists | None:
    """Return the stored entries of a sparse matrix (m, n), or of (indptr, indices), by row."""
    if given is None:
        return None
    if hasattr(given, "tocsr"):
        if given.shape != (m, n):
            raise check.wrong_value(argument, f"shape ({m}, {n})", given.shape)
        matrix = given.tocsr()
        given = (matrix.indptr, matrix.indices)
    if not isinstance(given, tuple) or len(given) != 2:
        raise check.wrong_type(argument, "a sparse matrix or (indptr, indices)", given)
    starts, positions = (_whole(argument, part) for part in given)
    starts = starts.astype(np.int64, copy=False)
    if len(starts) != m + 1:
        raise check.wrong_value(argument, f"indptr of {m + 1} numbers", len(starts))
    if starts[0] != 0 or starts[-1] != len(positions) or (np.diff(starts) < 0).any():
        expected = f"indptr that rises from 0 to {len(positions)}"
        raise check.wrong_value(argument, expected, f"{starts[0]} to {starts[-1]}")
    if len(positions) and not 0 <= positions.min() <= positions.max() < n:
        worst = positions.min() if positions.min() < 0 else positions.max()
        raise check.wrong_value(argument, f"positions in [0, {n})", worst)
    return _rising(Lists(starts, positions.astype(np.int32, copy=False)), n)


def _rising(lists: Lists, n: int) -> Lists:
    """Return the lists sorted and without duplicates; the same ones where they are."""
    starts, positions = lists
    rises = np.diff(positions) > 0
    ends = starts[1:-1] - 1  # the last of each list but the last list
    rises[ends[(ends >= 0) & (ends < len(rises))]] = True
    if rises.all():
        return lists
    keys = np.unique(lists.rows() * n + positions)
    rows = keys // n
    starts = np.searchsorted(rows, np.arange(len(starts)))
    return Lists(starts.astype(np.int64), (keys - rows * n).astype(np.int32))


def subtract(lists: Lists, others: Lists | None, n: int) -> Lists:
    """Return the lists without what the others hold."""
    if others is None:
        return lists
    rows = lists.rows()
    kept = ~np.isin(rows * n + lists.positions, others.rows() * n + others.positions)
    counts = np.bincount(rows[kept], minlength=len(lists.starts) - 1)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Lists(starts, lists.positions[kept])


def _whole(argument: str, given: Any) -> Array:
    array = np.asarray(given)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        got = f"shape {array.shape} of {array.dtype}"
        raise check.wrong_type(argument, "integers in indptr and indices", got=got)
    return array.astype(np.int64) if array.dtype.kind not in "iu" else array


def _floating(argument: str, array: Array) -> Array:
    if array.dtype.kind not in "fiub":
        raise check.wrong_type(argument, "numbers", got=f"dtype {array.dtype}")
    single = array.dtype in (np.float32, np.float16)
    return array.astype(np.float32 if single else np.float64, copy=False)


def _check_rank(argument: str, array: Array, axes: str) -> None:
    if array.ndim != axes.count(",") + 1:
        raise check.wrong_value(argument, f"shape ({axes})", array.shape)
