"""Pictures of training and of what was learnt; each has a twin `*_data` that returns its arrays.

Drawing needs matplotlib (``pip install 'fastnn[plot]'``); the twins need only NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Axes = Any
Array = npt.NDArray[Any]


def history_data(history: Mapping[str, Sequence[float]]) -> dict[str, Array]:
    """Return the curves that `plot_history` draws.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One value per epoch, as ``history_`` of an estimator.

    Returns
    -------
    dict of str to array
        ``epoch`` (1, 2, ...) and each series of numbers, float64.

    Examples
    --------
    >>> history_data({"loss": [0.5, 0.25]})["epoch"]
    array([1, 2])
    """
    curves = {name: np.asarray(values, np.float64) for name, values in history.items() if values}
    n = max((len(values) for values in curves.values()), default=0)
    return {"epoch": np.arange(1, n + 1), **curves}


def plot_history(history: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw one curve per series of a training history.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One value per epoch.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    data = history_data(history)
    epoch = data.pop("epoch")
    for name, values in data.items():
        ax.plot(epoch[: len(values)], values, label=name)
    ax.set(xlabel="epoch")
    ax.legend(frameon=False)
    return ax


def confusion_data(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the classes and the counts that `plot_confusion` draws.

    Parameters
    ----------
    y_true, y_pred : array-like (n,)
        Labels and predicted labels.

    Returns
    -------
    classes : array (k,)
        Sorted labels that occur in either.
    counts : array of int (k, k)
        Rows are true classes, columns predicted ones.

    Examples
    --------
    >>> confusion_data([0, 0, 1], [0, 1, 1])[1]
    array([[1, 1],
           [0, 1]])
    """
    pair = np.concatenate([np.asarray(y_true), np.asarray(y_pred)])
    classes, codes = np.unique(pair, return_inverse=True)
    k, n = len(classes), len(pair) // 2
    counts = np.bincount(codes[:n] * k + codes[n:], minlength=k * k).reshape(k, k)
    return classes, counts


def plot_confusion(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: rows are true classes, shaded by the share of the row.

    Parameters
    ----------
    y_true, y_pred : array-like (n,)
        Labels and predicted labels.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    classes, counts = confusion_data(y_true, y_pred)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[row, column] > 0.5 else "black"
            ax.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    ax.set(
        xlabel="predicted", ylabel="true", xticks=range(len(classes)), yticks=range(len(classes))
    )
    ax.set_xticklabels(classes)
    ax.set_yticklabels(classes)
    return ax


def map_data(vectors: npt.ArrayLike) -> Array:
    """Return the points that `plot_map` draws: the two principal components of the rows.

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


def plot_map(
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
    ax = _axes(ax)
    points = map_data(vectors)
    dots = ax.scatter(points[:, 0], points[:, 1], c=values, s=8, cmap="coolwarm", alpha=0.8)
    if values is not None:
        ax.figure.colorbar(dots, ax=ax, fraction=0.046)
    for row, name in (labels or {}).items():
        ax.annotate(name, points[row], fontsize=7)
    ax.set(xlabel="first component", ylabel="second component")
    return ax


def images_data(rows: npt.ArrayLike, shape: tuple[int, int]) -> Array:
    """Return the strip that one line of `plot_images` shows.

    Parameters
    ----------
    rows : array-like (n, height * width)
        Images as rows.
    shape : (int, int)
        Height and width.

    Returns
    -------
    array (height, n * (width + 1) - 1)
        Images side by side, one empty column (NaN) between two.

    Examples
    --------
    >>> images_data([[1, 2], [3, 4]], (2, 1))
    array([[ 1., nan,  3.],
           [ 2., nan,  4.]])
    """
    images = np.asarray(rows, np.float64).reshape(-1, *shape)
    padded = np.pad(images, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
    return padded.transpose(1, 0, 2).reshape(shape[0], -1)[:, :-1]


def plot_images(
    lines: Mapping[str, npt.ArrayLike], shape: tuple[int, int], ax: Axes | None = None
) -> Axes:
    """Draw lines of images under each other, such as originals and reconstructions.

    The first line sets the scale of grey.

    Parameters
    ----------
    lines : mapping of str to array-like (n, height * width)
        A name and images for each line.
    shape : (int, int)
        Height and width of an image.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    strips = [images_data(rows, shape) for rows in lines.values()]
    gap = np.full((1, strips[0].shape[1]), np.nan)
    picture = np.vstack([part for strip in strips for part in (strip, gap)][:-1])
    low, high = np.nanmin(strips[0]), np.nanmax(strips[0])
    ax.imshow(picture, cmap="gray_r", vmin=low, vmax=high)
    ax.set_yticks([(shape[0] + 1) * k + shape[0] / 2 - 0.5 for k in range(len(strips))])
    ax.set_yticklabels(list(lines))
    ax.set_xticks([])
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(length=0)
    return ax


def _axes(ax: Axes | None) -> Axes:
    """Axes to draw on, a new figure's when none is given."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("matplotlib: not found; pip install 'fastnn[plot]'") from error
    return pyplot.subplots(layout="constrained")[1]
