"""The data that settings ask for: made, drawn or read, then split, scaled and given a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.datasets import Table, make_points
from fastnn.learn.playground.settings import SYNTHETIC

Array = NDArray[Any]

LIMIT = 6.0  # coordinates of made and drawn points lie in [-LIMIT, LIMIT], or near it
FEATURES = {
    "x1": lambda x: x[:, 0],
    "x2": lambda x: x[:, 1],
    "x1^2": lambda x: x[:, 0] ** 2,
    "x2^2": lambda x: x[:, 1] ** 2,
    "x1*x2": lambda x: x[:, 0] * x[:, 1],
    "sin(x1)": lambda x: np.sin(x[:, 0]),
    "sin(x2)": lambda x: np.sin(x[:, 1]),
}
LOADERS = {"iris": "load_iris", "wine": "load_wine", "cancer": "load_breast_cancer"}
Drawing = Sequence[tuple[float, float, int]]


@dataclass(frozen=True)
class Points:
    """What a network learns from, and what the page draws.

    Attributes
    ----------
    plane : float64 (n, 2)
        The points as they are drawn, training rows first.
    inputs : float64 (n, k)
        What the network is shown of them.
    targets : int64 or float64 (n,)
        Labels of the classes, or numbers.
    n_train : int
        Rows to learn from; the others are for validation.
    classes, axes, columns : tuple of str
        Names of the classes (none for numbers), of the plane's axes, and of a table's columns.
    shift, scale : float64 (k,)
        Inputs are (features - shift) / scale.
    features : tuple of str
        Names of the features.
    """

    plane: Array
    inputs: Array
    targets: Array
    n_train: int
    classes: tuple[str, ...]
    axes: tuple[str, str]
    columns: tuple[str, ...]
    shift: Array
    scale: Array
    features: tuple[str, ...]

    @property
    def training(self) -> tuple[Array, Array]:
        """Inputs and targets to learn from."""
        return self.inputs[: self.n_train], self.targets[: self.n_train]

    @property
    def validation(self) -> tuple[Array, Array]:
        """Inputs and targets that training never sees."""
        return self.inputs[self.n_train :], self.targets[self.n_train :]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Low and high of both axes of the picture: a square about the middle of made points."""
        if self.axes == ("x1", "x2"):
            return -LIMIT, LIMIT, -LIMIT, LIMIT
        low, high = self.plane.min(axis=0), self.plane.max(axis=0)
        margin = 0.08 * np.where(high > low, high - low, 1.0)
        (a, b), (c, d) = (low - margin).tolist(), (high + margin).tolist()
        return a, c, b, d

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest target."""
        return float(self.targets.min()), float(self.targets.max())

    def shown(self, plane: Array) -> Array:
        """Return what the network is shown of points (m, 2) of the plane."""
        made = np.column_stack([FEATURES[name](plane) for name in self.features])
        return (made - self.shift) / self.scale


def source(settings: Mapping[str, Any], drawing: Drawing, table: Table | None) -> Table:
    """Return the rows of a data set before they are split."""
    name = settings["data"]
    if name in SYNTHETIC:
        n, seed = settings["points"], settings["seed"]
        x, y = make_points(name, n, noise=settings["noise"], seed=seed)
        names = _names(y)
        return Table(x, y, ("x1", "x2"), names)
    if name == "drawn":
        rows = np.array(drawing, dtype=np.float64).reshape(-1, 3)
        found, y = np.unique(rows[:, 2], return_inverse=True)
        names = tuple(f"class {value:g}" for value in found)
        return Table(rows[:, :2], y.reshape(-1).astype(np.int64), ("x1", "x2"), names)
    if name == "csv":
        if table is None:
            raise check.wrong_value("data", "a CSV file to be given first", "none")
        return table
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, LOADERS[name])()
    names = tuple(map(str, bunch.target_names))
    return Table(bunch.data, bunch.target.astype(np.int64), tuple(bunch.feature_names), names)


def natural_task(found: Table) -> str:
    """Return the task that the targets of a data set suggest."""
    if not found.classes:
        return "regression"
    return "binary" if len(found.classes) <= 2 else "multiclass"


def prepare(settings: Mapping[str, Any], found: Table) -> Points:
    """Shuffle, split, choose two axes, make features and scale them.

    Raises
    ------
    ValueError
        If there are fewer than two points, no such column, or numbers that are not finite.
    """
    if len(found.X) < 2:
        raise check.wrong_value("points", "at least 2 of them", len(found.X))
    order = np.random.default_rng(settings["seed"]).permutation(len(found.X))
    x, y = found.X[order], found.y[order]
    n = min(max(round(settings["train_share"] * len(x)), 1), len(x) - 1)
    plane, axes = _plane(settings, x, n, found.columns)
    features = tuple(settings["features"])
    made = np.column_stack([FEATURES[name](plane) for name in features])
    shift, scale = np.zeros(made.shape[1]), np.ones(made.shape[1])
    if settings["scaling"]:
        shift, scale = made[:n].mean(axis=0), spread(made[:n])
    targets, classes = _targets(settings["task"], y, n, found.classes)
    inputs = (made - shift) / scale
    return Points(plane, inputs, targets, n, classes, axes, found.columns, shift, scale, features)


def spread(x: Array) -> Array:
    """Return the standard deviation of each column, 1 for one that never changes."""
    found: Array = x.std(axis=0)
    return np.where(found > 0, found, 1.0)


def _plane(
    settings: Mapping[str, Any], x: Array, n: int, columns: tuple[str, ...]
) -> tuple[Array, tuple[str, str]]:
    """Return two numbers of each row and their names."""
    if settings["data"] in SYNTHETIC or settings["data"] == "drawn":
        return x, ("x1", "x2")
    if x.shape[1] == 1:
        return np.column_stack([x[:, 0], np.zeros(len(x))]), (columns[0], "nothing")
    if settings["axes"] == "columns":
        chosen = [settings["column_1"], settings["column_2"]]
        for name, column in zip(("column_1", "column_2"), chosen, strict=True):
            check.integer(name, column, 0, x.shape[1] - 1)
        return x[:, chosen], (columns[chosen[0]], columns[chosen[1]])
    scaled = (x - x[:n].mean(axis=0)) / spread(x[:n])
    directions = np.linalg.svd(scaled[:n], full_matrices=False)[2][:2]
    return scaled @ directions.T, ("direction 1 (PCA)", "direction 2 (PCA)")


def _targets(
    task: str, y: Array, n: int, classes: tuple[str, ...]
) -> tuple[Array, tuple[str, ...]]:
    """Return what to learn of the targets: a class of two, of several, or a number."""
    if task == "regression":
        return y.astype(np.float64), ()
    if task == "binary":
        if classes:
            rest = classes[1] if len(classes) == 2 else "the rest"
            return (y > 0).astype(np.int64), (classes[0], rest)
        return (y > np.median(y[:n])).astype(np.int64), ("low", "high")
    if classes:
        return y, classes
    return np.digitize(y, np.quantile(y[:n], [1 / 3, 2 / 3])), ("low", "middle", "high")


def _names(y: Array) -> tuple[str, ...]:
    return tuple(f"class {i}" for i in range(int(y.max()) + 1)) if y.dtype.kind == "i" else ()
