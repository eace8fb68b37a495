"""Losses: what training makes small; a value per row, the mean over the outputs of the row."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

from fastnn import check
from fastnn.description import Description
from fastnn.graph import Setting, Spec

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
]


@dataclass(frozen=True, repr=False)
class Loss(Description):
    """Base of the losses."""

    kind: ClassVar[str]
    targets: ClassVar[str] = "values"  # or "probabilities" or "labels"

    def spec(self) -> Spec:
        """Return the loss as an engine takes it."""
        config: dict[str, Setting] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            config[item.name] = int(value) if isinstance(value, bool) else value
        return Spec(self.kind, config)


@dataclass(frozen=True, repr=False)
class MeanSquaredError(Loss):
    """``(p - y) ** 2``."""

    kind: ClassVar[str] = "mean_squared_error"


@dataclass(frozen=True, repr=False)
class MeanAbsoluteError(Loss):
    """``abs(p - y)``."""

    kind: ClassVar[str] = "mean_absolute_error"


@dataclass(frozen=True, repr=False)
class Huber(Loss):
    """With e = p - y: ``e ** 2 / 2`` up to ``abs(e) = delta``, a line of slope delta beyond.

    Parameters
    ----------
    delta : float, default 1
        Where the parabola turns into a line, > 0; smaller values mind outliers less.

    Examples
    --------
    >>> Huber(delta=0.5)
    Huber(delta=0.5)
    """

    kind: ClassVar[str] = "huber"

    delta: float = 1.0

    def __post_init__(self) -> None:
        self._set(delta=check.number("delta", self.delta, 0, above=True))


@dataclass(frozen=True, repr=False)
class BinaryCrossentropy(Loss):
    """``-y * log(p) - (1 - y) * log(1 - p)`` for targets y of [0, 1]; computed without clipping.

    Parameters
    ----------
    from_logits : bool, default False
        False: the output ends in a sigmoid and is p. True: p = sigmoid(output).
    """

    kind: ClassVar[str] = "binary_crossentropy"
    targets: ClassVar[str] = "probabilities"

    _: KW_ONLY
    from_logits: bool = False

    def __post_init__(self) -> None:
        self._set(from_logits=check.flag("from_logits", self.from_logits))


@dataclass(frozen=True, repr=False)
class CategoricalCrossentropy(Loss):
    """``-log(p[label])`` for integer labels of [0, classes); computed without clipping.

    Parameters
    ----------
    from_logits : bool, default False
        False: the output ends in a softmax and is p. True: p = softmax(output).
    """

    kind: ClassVar[str] = "categorical_crossentropy"
    targets: ClassVar[str] = "labels"

    _: KW_ONLY
    from_logits: bool = False

    def __post_init__(self) -> None:
        self._set(from_logits=check.flag("from_logits", self.from_logits))


NAMES: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": CategoricalCrossentropy,
}
METRICS = {
    "accuracy": "accuracy",
    "acc": "accuracy",
    "mean_squared_error": "mean_squared_error",
    "mse": "mean_squared_error",
    "mean_absolute_error": "mean_absolute_error",
    "mae": "mean_absolute_error",
}


def get(argument: str, value: object) -> Loss:
    """Return a loss given as an instance or by name."""
    return check.described(argument, value, Loss, NAMES)


def metric(argument: str, value: object) -> str:
    """Return the full name of a metric."""
    return METRICS[check.choice(argument, value, METRICS)]
