"""Features of users and of items: what a table says of each id, as numbers with weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from fastnn import check, data

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Features:
    """Which features there are.

    Attributes
    ----------
    argument : str
        Name for messages.
    names : dict of str to int
        Columns of numbers, and ``column=word`` for each word of other columns. Empty for a matrix.
    width : int
        How many.
    """

    argument: str
    names: dict[str, int]
    width: int

    @staticmethod
    def of(argument: str, given: Any) -> Features:
        """Return the features that a table or a matrix has."""
        if sparse.issparse(given):
            if given.shape[1] < 1:
                raise check.wrong_value(argument, "at least one column", f"shape {given.shape}")
            return Features(argument, {}, given.shape[1])
        _, columns = _table(argument, given)
        words: dict[str, int] = {}
        for name, column in columns.items():
            if column.dtype.kind in "iufb":
                words.setdefault(name, len(words))
                continue
            for word in dict.fromkeys(column[_present(column)].tolist()):
                words.setdefault(f"{name}={word}", len(words))
        if not words:
            raise check.wrong_value(argument, "at least one column beside the ids", "none")
        return Features(argument, words, len(words))

    def read(self, given: Any) -> tuple[Array, sparse.csr_matrix]:
        """Return ids (n,) and weights (n, width); words that are new say nothing."""
        if sparse.issparse(given):
            matrix = sparse.csr_matrix(given)
            if self.names or matrix.shape[1] != self.width:
                expected = "a table as in fit" if self.names else f"{self.width} columns"
                raise check.wrong_value(self.argument, expected, f"a matrix {matrix.shape}")
            data.convert_floats(self.argument, matrix.data, (), "float64") if matrix.nnz else None
            return np.arange(matrix.shape[0]), matrix
        if not self.names:
            raise check.wrong_type(self.argument, "a sparse matrix as in fit", given)
        ids, columns = _table(self.argument, given)
        rows, places, weights = [], [], []
        for name, column in columns.items():
            present = np.flatnonzero(_present(column))
            if name in self.names:
                values = data.convert_floats(self.argument, column[present], (), "float64")
                where = np.full(len(present), self.names[name])
            else:
                words = (f"{name}={word}" for word in column[present].tolist())
                where = np.array([self.names.get(word, -1) for word in words], np.int64)
                values = np.ones(len(present))
            kept = (where >= 0) & (values != 0)
            rows.append(present[kept])
            places.append(where[kept])
            weights.append(values[kept])
        shape = len(ids), self.width
        pairs = np.concatenate(rows), np.concatenate(places)
        return ids, sparse.csr_matrix((np.concatenate(weights), pairs), shape=shape)


def aligned(
    argument: str, ids: Array, matrix: sparse.csr_matrix, positions: Array, n: int
) -> sparse.csr_matrix:
    """Return the rows of a matrix in the order of positions, which count from 1; n rows in all."""
    if len(np.unique(positions)) < len(positions):
        places, counts = np.unique(positions, return_counts=True)
        twice = ids[int(np.argmax(positions == places[counts > 1][0]))]
        raise check.wrong_value(argument, "one row for each id", f"{twice} twice")
    order = np.full(n, len(positions))
    order[positions - 1] = np.arange(len(positions))
    empty = sparse.csr_matrix((1, matrix.shape[1]))
    return sparse.csr_matrix(sparse.csr_matrix(sparse.vstack([matrix, empty]))[order])


def padded(matrix: sparse.csr_matrix, dtype: str) -> tuple[Array, Array]:
    """Return columns (n, k) int32 and values (n, k) of the rows of a matrix, -1 for none."""
    counts = np.diff(matrix.indptr)
    width = max(int(counts.max(initial=0)), 1)
    places = np.full((matrix.shape[0], width), -1, np.int32)
    values = np.zeros((matrix.shape[0], width), dtype)
    filled = np.arange(width) < counts[:, np.newaxis]
    places[filled], values[filled] = matrix.indices, matrix.data
    return places, values


def _table(argument: str, given: Any) -> tuple[Array, dict[str, Array]]:
    """Return the ids of a table and its other columns."""
    import narwhals as nw

    index: Any = getattr(given, "index", None)
    numbered = type(index).__name__ == "RangeIndex" and index.name is None
    try:
        frame = nw.from_native(given, eager_only=True)
    except TypeError:
        expected = "a sparse matrix, or a table with ids in its first column or its index"
        raise check.wrong_type(argument, expected, given) from None
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    if hasattr(index, "to_numpy") and not numbered:
        return data.one_dimensional(argument, index.to_numpy()), columns
    if not columns:
        raise check.wrong_value(argument, "a column of ids", "an empty table")
    ids = columns.pop(frame.columns[0])
    return data.one_dimensional(argument, ids), columns


def _present(column: Array) -> Array:
    """Return which entries of a column are not missing."""
    if column.dtype.kind == "O":
        return np.array([value is not None and value == value for value in column], bool)
    found: Array = column == column
    return found
