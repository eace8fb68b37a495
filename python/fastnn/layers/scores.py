"""A score for each of many classes: the end of a recommender, or of a model of words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.graph import Operation
from fastnn.initializers import Constant, Initializer, Zeros
from fastnn.layers.weighted import _Weighted
from fastnn.regularizers import Regularizer

__all__ = ["Scores"]

_MOST_FEATURES = 2**24  # numbers of rows that float32 holds exactly


@dataclass(frozen=True, repr=False)
class Scores(_Weighted):
    """The inner product of the input (d,) with a vector of each class: (units,) scores.

    ``y[i] = x @ V[i] + bias[i]``. The vectors are rows of a table, so a loss that looks at few
    classes at a time (`losses.SampledSoftmax`, `BPR`, `WARP`, `SampledLogistic`) trains on
    500,000 classes as fast as on 5,000: the scores of the others are never computed. With an
    ordinary loss, in `predict` and in `evaluate` it is a dense layer.

    With ``n_features`` a class is described by features, too:
    ``V[i] = E[i] + sum over s of weight[i, s] * F[feature[i, s]]``, which tells something about
    classes that training never saw (Kula, "Metadata embeddings for user and item cold-start
    recommendations", 2015). E and F are trained; features and weights are set by `set_weights`.

    Parameters
    ----------
    units : int
        Number of classes.
    use_bias : bool
        Whether each class has a bias.
    embeddings_initializer, bias_initializer : str or Initializer
        How the vectors, those of features too, and the bias start.
    embeddings_regularizer : str or Regularizer, optional
        Penalty on the vectors, those of features too; with "touched" and a loss that samples it
        acts on the rows of the batch only.
    sparse_update : {"touched", "dense"}
        With a loss that samples: "touched" updates only the rows that a batch looks at (fast),
        "dense" every row every step.
    n_features : int
        Number of features, at most 2**24 - 1; 0 for none.
    features_per_unit : int
        Features of one class, at most.
    trainable : bool
        False keeps the weights as they are.
    name : str, optional
        Prefix of the parameters' names: ``<name>/embeddings`` (units, d), ``<name>/bias``
        (units,), ``<name>/feature_embeddings`` (n_features, d), ``<name>/features`` and
        ``<name>/feature_weights`` (units, features_per_unit): numbers of features, -1 for none,
        and what each counts for.

    Examples
    --------
    >>> Scores(500_000)
    Scores(units=500000)
    >>> Scores(9000, n_features=20, features_per_unit=3)
    Scores(units=9000, n_features=20, features_per_unit=3)
    """

    units: int
    _: KW_ONLY
    use_bias: bool = True
    embeddings_initializer: str | Initializer = "uniform"
    embeddings_regularizer: str | Regularizer | None = None
    bias_initializer: str | Initializer = "zeros"
    sparse_update: str = "touched"
    n_features: int = 0
    features_per_unit: int = 0

    rank: ClassVar[int | None] = 1
    _weights: ClassVar[tuple[str, ...]] = ("embeddings", "bias")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(units=check.integer("units", self.units, 1))
        self._set(use_bias=check.flag("use_bias", self.use_bias))
        check.choice("sparse_update", self.sparse_update, ("touched", "dense"))
        most = _MOST_FEATURES - 1
        self._set(n_features=check.integer("n_features", self.n_features, 0, most))
        per_unit = check.integer("features_per_unit", self.features_per_unit, 0)
        if (per_unit > 0) != (self.n_features > 0):
            expected = "at least 1 with n_features, else 0"
            raise check.wrong_value("features_per_unit", expected, per_unit)
        self._set(features_per_unit=per_unit)

    def held(self) -> tuple[str, ...]:
        """Return the weights this layer has."""
        own = ("embeddings",) + ("bias",) * self.use_bias
        return own + ("feature_embeddings", "features", "feature_weights") * (self.n_features > 0)

    def initializers(self) -> dict[str, Initializer]:
        """Return the initializer of each parameter, by name."""
        fixed: dict[str, Initializer] = {"features": Constant(-1.0), "feature_weights": Zeros()}
        return {name: fixed.get(name) or self._initializer(name) for name in self.held()}

    def penalties(self) -> dict[str, tuple[float, float]]:
        """Return the factors (l1, l2) of each parameter that has some, by name."""
        given = super().penalties()
        if "embeddings" in given and self.n_features:
            given["feature_embeddings"] = given["embeddings"]
        return given

    def fixed(self) -> tuple[str, ...]:
        """Return the parameters that no optimizer touches, by name."""
        given = ("features", "feature_weights") * (self.n_features > 0)
        return given if self.trainable else self.held()

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        settings = self.weight_settings()
        yield (
            self.stem(),
            {
                "units": self.units,
                "use_bias": int(self.use_bias),
                "sparse_update": self.sparse_update,
                "n_features": self.n_features,
                "features_per_unit": self.features_per_unit,
                **{k: v for k, v in settings.items() if not k.startswith("bias_")},
            },
        )

    def check_weight(self, key: str, label: str, array: NDArray[Any]) -> None:
        """Refuse numbers of features that are none."""
        if key != "features":
            return
        good = (array >= -1) & (array < self.n_features) & (array == np.floor(array))
        if not good.all():
            row, column = np.argwhere(~good)[0]
            got = f"{array[row, column]:g} at row {row}, column {column}"
            raise check.wrong_value(label, f"whole numbers in [-1, {self.n_features})", got)

    def _initializer(self, name: str) -> Initializer:
        return super()._initializer("bias" if name == "bias" else "embeddings")

    def _regularizer(self, name: str) -> str | Regularizer | None:
        return None if name == "bias" else self.embeddings_regularizer
