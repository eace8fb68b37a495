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
        self._places: dict[Any, int] | None = None
        if _is_number(ids):
            self.labels: Array = np.unique(ids)
            return
        words = list(dict.fromkeys(ids.tolist()))
        self._places = {word: place for place, word in enumerate(words, 1)}
        self.labels = np.empty(len(words), object)
        self.labels[:] = words
        if ids.dtype != object:
            self.labels = self.labels.astype(ids.dtype)

    def __len__(self) -> int:
        return len(self.labels)

    def positions(self, argument: str, given: Any) -> NDArray[np.int32]:
        """Return the positions (n,) of ids, 0 for unknown ones."""
        ids = _checked(argument, given)
        if len(ids) and _is_number(ids) != (self._places is None):
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
        return int(self.positions(argument, np.array([given]) if _is_plain(given) else single)[0])


def _checked(argument: str, given: Any) -> Array:
    """Return ids as an array (n,) without missing ones."""
    ids = data.one_dimensional(argument, given)
    if ids.dtype == object and len(ids) and all(_is_plain(item) for item in ids):
        kinds = {isinstance(item, str) for item in ids}
        if kinds == {False}:
            ids = np.array(ids.tolist())
    missing = (
        np.array([item is None or item != item for item in ids])
        if (ids.dtype == object)
        else ids != ids
    )
    if missing.any():
        row = int(missing.argmax())
        raise check.wrong_value(argument, "ids", f"{ids[row]} at row {row}")
    return ids


def _is_number(ids: Array) -> bool:
    return ids.dtype.kind in "iufb"


def _is_plain(item: Any) -> bool:
    return isinstance(item, str | int | float | np.integer | np.floating)
