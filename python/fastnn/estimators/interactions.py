"""The border of the recommenders: tables, sparse matrices and arrays of who met what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from fastnn import check, data
from fastnn.estimators.ids import Ids

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Interactions:
    """Rows (user, item, value), with ids as they were given.

    Attributes
    ----------
    users, items : array (n,)
        Ids.
    values : array of float64 (n,), or None
        Ratings, or how much a row counts; None where none were given.
    every_user, every_item : array
        Ids to be known, also those without a row: all rows and columns of a sparse matrix.
    """

    users: Array
    items: Array
    values: Array | None
    every_user: Array
    every_item: Array

    def __len__(self) -> int:
        return len(self.users)

    def ids(self, users: Ids | None = None, items: Ids | None = None) -> tuple[Ids, Ids]:
        """Return the ids of users and of items, behind those that are known already."""
        if users is None or items is None:
            return Ids("users", self.every_user), Ids("items", self.every_item)
        return users.extended("users", self.every_user), items.extended("items", self.every_item)


def read(
    users: Any,
    items: Any = None,
    ratings: Any = None,
    *,
    user: str = "user",
    item: str = "item",
    rating: str | None = "rating",
) -> Interactions:
    """Return the interactions of a table, a sparse matrix or arrays.

    Parameters
    ----------
    users : table, dict of arrays, sparse matrix (n_users, n_items), or array-like (n,)
        A table has the columns named below. In a matrix every stored number is a rating, also a
        stored zero, and ids are the numbers of rows and columns. Else the ids of users.
    items, ratings : array-like (n,), optional
        Beside ids of users; without ratings the rows have no values.
    user, item, rating : str
        Columns of a table; `rating` None reads none.
    """
    if sparse.issparse(users):
        if items is not None or ratings is not None:
            raise check.wrong_value("items", "None beside a sparse matrix", "an array")
        return _of_matrix(users)
    if items is None:
        if ratings is not None:
            raise check.wrong_type("items", "ids of items beside those of users", None)
        names = {"user": user, "item": item, **({} if rating is None else {"rating": rating})}
        users, items, *rest = columns(users, **names)
        ratings = rest[0] if rest else None
    users, items = (data.one_dimensional(n, x) for n, x in (("users", users), ("items", items)))
    values = None if ratings is None else data.convert_floats("ratings", ratings, (), "float64")
    for name, given in (("items", items), ("ratings", values)):
        if given is not None and len(given) != len(users):
            raise check.wrong_value(name, f"{len(users)} as users", len(given))
    return Interactions(users, items, values, users, items)


def _of_matrix(matrix: Any) -> Interactions:
    """Return the stored numbers of a sparse matrix, row by row."""
    rows = matrix.tocsr()
    if rows.shape[0] < 1 or rows.shape[1] < 1:
        raise check.wrong_value("users", "a matrix with rows and columns", f"shape {rows.shape}")
    values = data.convert_floats("ratings", rows.data, (), "float64") if rows.nnz else rows.data
    kind = rows.indices.dtype
    users = np.repeat(np.arange(rows.shape[0], dtype=kind), np.diff(rows.indptr))
    every_user, every_item = (np.arange(size) for size in rows.shape)
    return Interactions(users, rows.indices, values, every_user, every_item)


def columns(table: Any, **names: str) -> list[Any]:
    """Return columns of a table or of a dict of arrays; the keys name the arguments."""
    if isinstance(table, Mapping):
        present: Sequence[Any] = list(table)
        take = table.__getitem__
    else:
        import narwhals as nw

        try:
            frame = nw.from_native(table, eager_only=True)
        except TypeError:
            expected = "a table, a dict of arrays, a sparse matrix, or ids with items beside them"
            raise check.wrong_type("users", expected, table) from None
        present = frame.columns
        take = lambda name: frame[name].to_native()  # noqa: E731
    for argument, name in names.items():
        if name not in present:
            expected = f"a column of the table ({', '.join(map(str, present))})"
            raise check.wrong_value(argument, expected, repr(name))
    return [take(name) for name in names.values()]
