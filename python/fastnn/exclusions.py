"""Classes that must not count as negatives, checked and sorted once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check, data
from fastnn.layers import Scores
from fastnn.network import Network

Array = NDArray[Any]
_NOTHING = (np.zeros(1, np.int64), np.zeros(0, np.int32))


def checked(network: Network, name: str | int, known: Any) -> tuple[int, Array, Array]:
    """Return position of the input, starts of the rows (int64), sorted classes (int32)."""
    position = _position(network, name)
    units = [v.layer.units for v in network.outputs if isinstance(v.layer, Scores)]
    if not units:
        raise check.wrong_value("model", "an output that layers.Scores makes", "none")
    spec = network.input_specs[position]
    if spec.vocabulary is None or spec.shape:
        expected = f"an input of ids, one per row, for {spec.name!r}"
        got = f"numbers of shape {spec.shape}" if spec.vocabulary is None else f"shape {spec.shape}"
        raise check.wrong_value("name", expected, got)
    if known is None:
        return (position, *_NOTHING)
    return (position, *_sorted_rows(known, spec.vocabulary, max(units)))


def _position(network: Network, name: str | int) -> int:
    names = [spec.name for spec in network.input_specs]
    if isinstance(name, str):
        return names.index(check.choice("name", name, names))
    return check.integer("name", name, 0, len(names) - 1)


def _sorted_rows(known: Any, rows: int, units: int) -> tuple[Array, Array]:
    if hasattr(known, "tocsr"):
        if tuple(known.shape)[:1] != (rows,) or known.shape[1] > units:
            expected = f"a matrix of shape ({rows}, {units})"
            raise check.wrong_value("known", expected, tuple(known.shape))
        matrix = known.tocsr()
        known = matrix.indptr, matrix.indices
    if not isinstance(known, tuple) or len(known) != 2:
        raise check.wrong_type("known", "a sparse matrix, or (indptr, indices)", known)
    starts, classes = (data.convert_whole(f"known[{i}]", part) for i, part in enumerate(known))
    good = len(starts) == rows + 1 and starts[0] == 0 and starts[-1] == len(classes)
    if not good or (np.diff(starts) < 0).any():
        expected = f"{rows + 1} rising positions from 0 to {len(classes)}"
        raise check.wrong_value("known[0]", expected, f"{len(starts)} others")
    if len(classes) and not 0 <= classes.min() <= classes.max() < units:
        odd = classes.min() if classes.min() < 0 else classes.max()
        raise check.wrong_value("known[1]", f"values in [0, {units})", odd)
    order = np.lexsort((classes, np.repeat(np.arange(rows), np.diff(starts))))
    return starts.astype(np.int64), classes[order].astype(np.int32)
