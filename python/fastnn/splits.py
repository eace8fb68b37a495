"""Ways to hold back a part of a table of events: at random, by user, in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from fastnn import check, data

Array = NDArray[Any]
Table = TypeVar("Table")

__all__ = ["leave_one_out", "per_user", "random", "temporal"]


def random(
    table: Table, test_size: float = 0.1, *, random_state: Any = None
) -> tuple[Table, Table]:
    """Hold back a share of the rows, drawn at random.

    Parameters
    ----------
    table : table of pandas, polars or pyarrow, or dict of arrays
        At least two rows.
    test_size : float
        Share of the rows in the test part, in (0, 1); rounded, at least one row.
    random_state : int, RandomState or None
        Fixes the draw.

    Returns
    -------
    train, test : tables
        Of the same type, each in the order of the table; every row is in one of them.

    Raises
    ------
    ValueError
        The table has fewer than two rows.

    Examples
    --------
    >>> train, test = random({"user": ["a", "b", "a", "c"]}, 0.25, random_state=0)
    >>> len(train["user"]), len(test["user"])
    (3, 1)
    """
    rows = _Rows(table)
    count = _share_of(rows.n, test_size)
    order = check_random_state(random_state).permutation(rows.n)
    return rows.split(order[:count])


def leave_one_out(
    table: Table, *, user: str = "user", time: str | None = None, random_state: Any = None
) -> tuple[Table, Table]:
    """Hold back one row of each user: the last one, or one drawn at random.

    Parameters
    ----------
    table : table of pandas, polars or pyarrow, or dict of arrays
        One row per event.
    user : str
        Column of users, of any type. A user with a single row keeps it in train.
    time : str, optional
        Column of numbers or dates whose largest value is held back, of equal ones the lowest row;
        without it the row is drawn.
    random_state : int, RandomState or None
        Fixes the draw.

    Returns
    -------
    train, test : tables
        Of the same type, each in the order of the table; every row is in one of them.

    Raises
    ------
    ValueError
        A column is missing, or holds missing values.

    Examples
    --------
    >>> table = {"user": [1, 1, 2, 1], "time": [5, 9, 1, 7]}
    >>> leave_one_out(table, time="time")[1]
    {'user': array([1]), 'time': array([9])}
    """
    rows = _Rows(table)
    return rows.last_of_users(user, time, random_state, lambda n: (n > 1).astype(np.int64))


def per_user(
    table: Table,
    test_size: float = 0.1,
    *,
    user: str = "user",
    time: str | None = None,
    random_state: Any = None,
) -> tuple[Table, Table]:
    """Hold back a share of the rows of each user: the last ones, or some drawn at random.

    Parameters
    ----------
    table : table of pandas, polars or pyarrow, or dict of arrays
        One row per event.
    test_size : float
        Share of each user's rows in the test part, in (0, 1), rounded down: users with fewer than
        ``1 / test_size`` rows keep all of them in train.
    user : str
        Column of users, of any type.
    time : str, optional
        Column of numbers or dates whose largest values are held back, of equal ones the lowest
        rows; without it rows are drawn.
    random_state : int, RandomState or None
        Fixes the draw.

    Returns
    -------
    train, test : tables
        Of the same type, each in the order of the table; every row is in one of them.

    Raises
    ------
    ValueError
        A column is missing, or holds missing values.

    Examples
    --------
    >>> table = {"user": [1, 1, 1, 1, 2], "time": [4, 3, 2, 1, 0]}
    >>> per_user(table, 0.5, time="time")[1]
    {'user': array([1, 1]), 'time': array([4, 3])}
    """
    rows = _Rows(table)
    share = _share(test_size)
    tolerance = 1e-9  # 0.1 * 30 is a little more than 3, 0.7 * 10 a little less than 7
    return rows.last_of_users(
        user, time, random_state, lambda n: np.floor(n * share + tolerance).astype(np.int64)
    )


def temporal(
    table: Table, *, time: str, test_size: float = 0.1, cutoff: Any = None
) -> tuple[Table, Table]:
    """Hold back what came last: every row of test is later than every row of train.

    Parameters
    ----------
    table : table of pandas, polars or pyarrow, or dict of arrays
        At least two rows.
    time : str
        Column of numbers or dates.
    test_size : float
        Share of the rows in the test part, in (0, 1), without a cutoff; rows of one time stay
        together in the test part, which so may be larger.
    cutoff : number or date, optional
        Rows at this time or later make the test part, in place of a share.

    Returns
    -------
    train, test : tables
        Of the same type, each in the order of the table; every row is in one of them.

    Raises
    ------
    ValueError
        The column is missing or holds missing values, or one part would be empty.

    Examples
    --------
    >>> train, test = temporal({"time": [3, 1, 2, 4]}, time="time", test_size=0.5)
    >>> train, test
    ({'time': array([1, 2])}, {'time': array([3, 4])})
    """
    rows = _Rows(table)
    times = rows.times(time)
    count = _share_of(rows.n, test_size)
    if cutoff is None:
        cutoff = np.sort(times)[rows.n - count]
    elif times.dtype.kind == "M":
        cutoff = _date(cutoff)
    try:
        later = np.asarray(times >= cutoff, bool)
    except (TypeError, ValueError):
        raise check.wrong_type("cutoff", f"a time like those of {time!r}", cutoff) from None
    if later.all() or not later.any():
        got = f"{cutoff}, which leaves the {'train' if later.all() else 'test'} part empty"
        raise check.wrong_value("cutoff", f"a time in {times.min()} to {times.max()}", got)
    return rows.split(np.flatnonzero(later))


class _Rows:
    """A table of any library as columns by name and rows by position."""

    def __init__(self, table: Any) -> None:
        self.table = table
        if isinstance(table, Mapping):
            self._arrays = {name: np.asarray(column) for name, column in table.items()}
            lengths = {len(column) if column.ndim else -1 for column in self._arrays.values()}
            if len(lengths) != 1 or -1 in lengths:
                raise check.wrong_value("table", "arrays of one length", sorted(lengths))
            self.names, self.n = list(table), lengths.pop()
            return
        import narwhals as nw

        try:
            self._frame = nw.from_native(table, eager_only=True)
        except TypeError:
            raise check.wrong_type("table", "a table or a dict of arrays", table) from None
        self.names, self.n = list(self._frame.columns), len(self._frame)

    def column(self, argument: str, name: Any) -> Array:
        """Return a column (n,) without missing values."""
        if name not in self.names:
            expected = f"a column of the table ({', '.join(map(str, self.names))})"
            raise check.wrong_value(argument, expected, repr(name))
        found = self._arrays[name] if isinstance(self.table, Mapping) else self._frame[name]
        column = data.one_dimensional(argument, found)
        if column.dtype == object:
            missing = np.array([value is None or value != value for value in column], bool)
        else:
            missing = column != column
        if missing.any():
            row = int(missing.argmax())
            raise check.wrong_value(argument, "no missing values", f"{column[row]} at row {row}")
        return column

    def times(self, name: Any) -> Array:
        """Return a column that can be put in order."""
        column = self.column("time", name)
        if column.dtype.kind in "biufmM":
            return column
        if column.dtype == object:
            try:
                np.sort(column)
            except TypeError:
                pass
            else:
                return column
        raise check.wrong_type("time", "numbers or dates", got=f"dtype {column.dtype}")

    def split(self, test: Array) -> tuple[Any, Any]:
        """Return the rows that are not in `test`, and those that are."""
        held = np.zeros(self.n, bool)
        held[test] = True
        return self._take(np.flatnonzero(~held)), self._take(np.flatnonzero(held))

    def last_of_users(
        self, user: str, time: str | None, random_state: Any, count: Any
    ) -> tuple[Any, Any]:
        """Hold back the last count(n) of the n rows of each user, in time or at random."""
        codes = _codes(self.column("user", user))
        if time is None:
            rank = check_random_state(random_state).permutation(self.n)
        else:
            rank = np.empty(self.n, np.int64)
            rank[np.argsort(self.times(time), kind="stable")] = np.arange(self.n)
        order = np.lexsort((rank, codes))
        sizes = np.bincount(codes)
        from_end = np.repeat(np.cumsum(sizes), sizes) - np.arange(self.n)  # 1 for a user's last
        return self.split(order[from_end <= np.repeat(count(sizes), sizes)])

    def _take(self, rows: Array) -> Any:
        if isinstance(self.table, Mapping):
            return {name: column[rows] for name, column in self._arrays.items()}
        return self._frame[rows].to_native()


def _codes(users: Array) -> NDArray[np.int64]:
    """Return a number for each user."""
    if users.dtype != object:
        return np.unique(users, return_inverse=True)[1].astype(np.int64)
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(user, len(numbers)) for user in users], np.int64)


def _share(test_size: float) -> float:
    return check.number("test_size", test_size, 0, 1, above=True, below=True)


def _share_of(n: int, test_size: float) -> int:
    """Return how many of n rows are held back: at least one, and not all."""
    share = _share(test_size)
    if n < 2:
        raise check.wrong_value("table", "at least two rows", n)
    return min(max(1, round(n * share)), n - 1)


def _date(value: Any) -> np.datetime64:
    try:
        return np.datetime64(value)
    except (TypeError, ValueError):
        raise check.wrong_type("cutoff", "a date", value) from None
