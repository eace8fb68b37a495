"""How training went, and what a classifier confuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fastnn.plots.axes import Array, Axes, new_axes


def history_data(history: Mapping[str, Sequence[float]]) -> dict[str, Array]:
    """Return the curves that `history` draws.

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


def history(history: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
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
    ax = new_axes(ax)
    data = history_data(history)
    epoch = data.pop("epoch")
    for name, values in data.items():
        ax.plot(epoch[: len(values)], values, label=name)
    ax.set(xlabel="epoch")
    ax.legend(frameon=False)
    return ax


def confusion_data(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the classes and the counts that `confusion` draws.

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
    from sklearn.metrics import confusion_matrix
    from sklearn.utils.multiclass import unique_labels

    return unique_labels(y_true, y_pred), confusion_matrix(y_true, y_pred)


def confusion(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, ax: Axes | None = None) -> Axes:
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
    ax = new_axes(ax)
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
