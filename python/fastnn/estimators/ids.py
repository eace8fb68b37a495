"""Ids of any type and their positions in a table of vectors."""

from __future__ import annotations

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
        self._places: dict[Any, int] | None = None
        if self._family != "objects":
            self.labels: Array = np.unique(ids)
            return
        words = list(dict.fromkeys(ids.tolist()))
        self._places = {word: n for n, word in enumerate(words, 1)}
        self.labels = np.empty(len(words), object)
        self.labels[:] = words
        if ids.dtype != object:
            self.labels = self.labels.astype(ids.dtype)

    def __len__(self) -> int:
        return len(self.labels)

    def positions(self, argument: str, given: Any) -> NDArray[np.int32]:
        """Return the positions (n,) of ids, 0 for unknown ones."""
        ids = _checked(argument, given)
        if len(ids) and _family(ids) != self._family:
            expected = f"ids like those of fit ({self.labels.dtype})"
            raise check.wrong_type(argument, expected, f"dtype {ids.dtype}")
        if self._places is not None:
            places = self._places
            return np.array([places.get(word, 0) for word in ids.tolist()], np.int32)
        found = np.minimum(np.searchsorted(self.labels, ids), len(self.labels) - 1)
        return np.where(self.labels[found] == ids, found + 1, 0).astype(np.int32)

    def position(self, argument: str, given: Any) -> int:
        """Return the position of one id, 0 if it is unknown."""
        single = np.empty(1, object)
        single[0] = given
        if isinstance(given, str | int | float | np.generic):
            single = np.array([given])
        return int(self.positions(argument, single)[0])


def _checked(argument: str, given: Any) -> Array:
    """Return ids as an array (n,) without missing ones; Python numbers get a dtype of their own."""
    ids = data.one_dimensional(argument, given)
    if ids.dtype == object:
        if len(ids) and all(isinstance(item, int | float) for item in ids):
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
