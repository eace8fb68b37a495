"""Ids of any type and their positions in a table of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check, data

Array = NDArray[Any]


class Ids:
    """Numbers ids 1, 2, ...; 0 stands for every unknown one.

    Integers are numbered in their order, anything else (words, UUIDs, dates) in the order of
    appearance.

    Parameters
    ----------
    argument : str
        Name for messages.
    given : array-like (n,)
        Ids, repeated as often as they come.

    Attributes
    ----------
    labels : array (n_ids,)
        The ids; that of position p is ``labels[p - 1]``.

    Examples
    --------
    >>> Ids("users", ["ann", "bob", "ann"]).positions("users", ["bob", "eve"]).tolist()
    [2, 0]
    """

    def __init__(self, argument: str, given: Any) -> None:
        ids = _checked(argument, given)
        self._family = _family(ids)
        self._set(_distinct(ids, self._family))

    def _set(self, labels: Array) -> None:
        self.labels = labels
        self._order: Array | None = None  # of the labels by size, where they are not sorted
        self._places: dict[Any, int] | None = None
        if self._family == "objects":
            self._places = {word: n for n, word in enumerate(labels.tolist(), 1)}
        elif len(labels) and not (labels[:-1] < labels[1:]).all():
            self._order = np.argsort(labels, kind="stable")

    def __len__(self) -> int:
        return len(self.labels)

    def extended(self, argument: str, given: Any) -> Ids:
        """Return these ids with the unknown ones of `given` behind them; positions stay."""
        ids = _checked(argument, given)
        fresh = ids[self.positions(argument, ids) == 0]
        if not len(fresh):
            return self
        longer = object.__new__(Ids)
        longer._family = self._family
        fresh = _distinct(fresh, self._family)
        if self.labels.dtype == object or fresh.dtype == object:
            joined = np.empty(len(self) + len(fresh), object)
            joined[: len(self)], joined[len(self) :] = self.labels.tolist(), fresh.tolist()
        else:
            joined = np.concatenate([self.labels, fresh])
        longer._set(joined)
        return longer

    def positions(self, argument: str, given: Any) -> NDArray[np.int32]:
        """Return the positions (n,) of ids, 0 for unknown ones."""
        ids = _checked(argument, given)
        if len(ids) and _family(ids) != self._family:
            expected = f"ids like those of fit ({self.labels.dtype})"
            raise check.wrong_type(argument, expected, f"dtype {ids.dtype}")
        if self._places is not None:
            places = self._places
            return np.array([places.get(word, 0) for word in ids.tolist()], np.int32)
        found = np.searchsorted(self.labels, ids, sorter=self._order)
        found = np.minimum(found, len(self.labels) - 1)
        if self._order is not None:
            found = self._order[found]
        return np.where(self.labels[found] == ids, found + 1, 0).astype(np.int32)

    def taken(self, positions: Array) -> Array:
        """Return the labels of positions of any shape; 0 gives what stands for no id.

        That is -1 for whole numbers, NaN, NaT, "" or None for the others.
        """
        nothing = _NOTHING.get(self.labels.dtype.kind)
        if self.labels.dtype.kind == "M":
            nothing = np.datetime64("NaT")
        elif self.labels.dtype.kind == "m":
            nothing = np.timedelta64("NaT")
        found: Array = self.labels[np.maximum(positions, 1) - 1]
        if (positions == 0).any():
            if self.labels.dtype.kind in "ub":
                found = found.astype(np.int64)
            found[positions == 0] = nothing
        return found

    def position(self, argument: str, given: Any) -> int:
        """Return the position of one id, 0 if it is unknown."""
        return int(self.positions(argument, self.single(given))[0])

    @staticmethod
    def single(given: Any) -> Array:
        """Return one id as an array (1,)."""
        if isinstance(given, str | int | float | np.generic):
            return np.array([given])
        found = np.empty(1, object)
        found[0] = given
        return found


_NOTHING: dict[str, Any] = {"i": -1, "u": -1, "b": -1, "f": np.nan, "U": "", "S": b""}


def several(given: Any) -> bool:
    """Whether `given` holds several ids: a list, array or column; a tuple or a word is one id."""
    if isinstance(given, str | bytes | tuple | Mapping | np.generic):
        return False
    listed = hasattr(given, "__len__") and hasattr(given, "__getitem__")
    return isinstance(given, list) or (listed and getattr(given, "ndim", 1) > 0)


def _distinct(ids: Array, family: str) -> Array:
    """Return every id once: numbers and times sorted, others in the order of appearance."""
    if family != "objects":
        return np.unique(ids)
    words = list(dict.fromkeys(ids.tolist()))
    labels = np.empty(len(words), object)
    labels[:] = words
    return labels if ids.dtype == object else labels.astype(ids.dtype)


def _checked(argument: str, given: Any) -> Array:
    """Return ids as an array (n,) without missing ones; Python numbers get a dtype of their own."""
    ids = data.one_dimensional(argument, given)
    if ids.dtype == object:
        if len(ids) and all(isinstance(item, int | float | np.number) for item in ids):
            ids = np.array(ids.tolist())
        missing = np.array([item is None or item != item for item in ids], bool)
    else:
        missing = ids != ids
    if missing.any():
        row = int(missing.argmax())
        raise check.wrong_value(argument, "ids", f"{ids[row]} at row {row}")
    return ids


def _family(ids: Array) -> str:
    """Return what the ids are; those of one family compare with each other."""
    kind = ids.dtype.kind
    return "numbers" if kind in "iufb" else "times" if kind in "mM" else "objects"
