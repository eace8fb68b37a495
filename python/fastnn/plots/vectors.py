"""The rows of a table as points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fastnn.plots.axes import Array, Axes, new_axes


def map_data(vectors: npt.ArrayLike) -> Array:
    """Return the points that `map` draws: the two principal components of the rows.

    Parameters
    ----------
    vectors : array-like (n, d)
        Rows of an embedding table.

    Returns
    -------
    array of float64 (n, 2)
        Coordinates along the directions of largest variance; the sign of each is chosen so that
        the entry of largest size is positive.

    Examples
    --------
    >>> map_data([[0.0, 1.0, 0.0], [0.0, -3.0, 0.0], [0.0, 2.0, 0.0]])[:, 0].round(6).tolist()
    [-1.0, 3.0, -2.0]
    """
    rows = np.asarray(vectors, np.float64)
    u, s, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    points = np.zeros((len(rows), 2))
    k = min(2, len(s))
    points[:, :k] = u[:, :k] * s[:k]
    largest = np.abs(points).argmax(0)
    return points * np.where(points[largest, [0, 1]] < 0, -1, 1) + 0.0


def map(
    vectors: npt.ArrayLike,
    values: npt.ArrayLike | None = None,
    labels: Mapping[int, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the rows of an embedding table as points in the plane of largest variance.

    Parameters
    ----------
    vectors : array-like (n, d)
        Rows of an embedding table.
    values : array-like (n,), optional
        A number per row, shown as its colour.
    labels : mapping of int to str, optional
        Names to write beside some rows.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    points = map_data(vectors)
    dots = ax.scatter(points[:, 0], points[:, 1], c=values, s=8, cmap="coolwarm", alpha=0.8)
    if values is not None:
        ax.figure.colorbar(dots, ax=ax, fraction=0.046)
    for row, name in (labels or {}).items():
        ax.annotate(name, points[row], fontsize=7)
    ax.set(xlabel="first component", ylabel="second component")
    return ax
