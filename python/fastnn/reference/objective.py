"""What a model is trained for: a loss and metrics per output, and their means over many batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..graph import Spec
from .dense import Activated
from .layer import Array, Layer
from .losses import LOSSES
from .metrics import METRICS, accuracy
from .ranking import RANKING_LOSSES


def read_settings(what: str, spec: Spec, defaults: dict[str, Any]) -> dict[str, Any]:
    """Fill the defaults into the settings of a spec; an unknown name is refused."""
    for name in spec.config:
        if name not in defaults:
            raise ValueError(
                f"{what} {spec.kind}: expected one of {', '.join(sorted(defaults))}, got {name}"
            )
    given = {k: v.item() if isinstance(v, np.generic) else v for k, v in spec.config.items()}
    return {**defaults, **given}


class Objective:
    """The loss, its weight, and the metrics of one output."""

    def __init__(self, spec: Spec, weight: float, metrics: Sequence[str], layer: Layer) -> None:
        if spec.kind not in LOSSES:
            names = ", ".join((*LOSSES, *RANKING_LOSSES))
            raise ValueError(f"loss: expected one of {names}, got {spec.kind}")
        self.loss, self.weight, self.layer = LOSSES[spec.kind], float(weight), layer
        self.categorical = self.loss.at_logits == "softmax"
        switch = {"from_logits": 0} if self.loss.at_logits else {}
        settings = read_settings("loss", spec, {**self.loss.settings, **switch})
        from_logits = bool(settings.pop("from_logits", 1))
        self.settings = settings
        self.inside = not from_logits
        """Whether the loss starts at the input of the output node's activation."""
        if self.inside:
            last, wanted = layer.config.get("activation", "another end"), self.loss.at_logits
            if not isinstance(layer, Activated) or last != wanted:
                raise ValueError(
                    f"loss: expected output {layer.node.name} to end in {wanted} for {spec.kind}, "
                    f"or from_logits=True, got {last}"
                )
        if self.categorical:
            layer.check(
                len(layer.shape) == 1, f"shape (classes,) for {spec.kind}", f"shape {layer.shape}"
            )
        self.metric_names = list(metrics)
        threshold = 0.0 if spec.kind == "binary_crossentropy" and from_logits else 0.5
        self.metrics = [self._metric(name, threshold) for name in metrics]

    def _metric(self, name: str, threshold: float) -> Callable[[Array, Array], Array]:
        allowed = ["accuracy"] if self.categorical else list(METRICS)
        if name not in allowed:
            raise ValueError(f"metrics: expected one of {', '.join(allowed)}, got {name}")
        return partial(accuracy, threshold=threshold) if name == "accuracy" else METRICS[name]

    def prediction(self, value: Array, saved: Any) -> Array:
        """Return what the loss takes: the output, or the input of its activation."""
        if self.inside:
            assert isinstance(self.layer, Activated)
            return self.layer.logits(saved)
        return value

    def values(self, prediction: Array, target: Array) -> Array:
        """Loss of each row (m,)."""
        return self.loss.value(prediction, target, **self.settings)

    def gradient(self, prediction: Array, target: Array, shares: Array) -> Array:
        """Gradient of this output's part of the batch's loss, with respect to the prediction."""
        per_row = self.loss.gradient(prediction, target, **self.settings)
        scale = (self.weight * shares).astype(prediction.dtype)
        dp: Array = per_row * scale.reshape(-1, *[1] * (prediction.ndim - 1))
        return dp


class Scores(NamedTuple):
    """Values of each row (m,) of a batch."""

    loss: Array
    losses: list[Array]
    metrics: list[list[Array]]


class Tally:
    """Weighted sums over batches: the loss, each output's loss and metrics."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.weight, self.n_rows, self.loss = 0.0, 0, 0.0
        self.losses = [0.0] * len(objectives)
        self.metrics = [[0.0] * len(o.metrics) for o in objectives]

    def add(self, weights: Array, scores: Scores) -> None:
        """Add one batch."""
        self.weight += float(weights.sum(dtype=np.float64))
        self.n_rows += len(weights)
        self.loss += weighted_sum(weights, scores.loss)
        for i, (loss, metrics) in enumerate(zip(scores.losses, scores.metrics, strict=True)):
            self.losses[i] += weighted_sum(weights, loss)
            for j, metric in enumerate(metrics):
                self.metrics[i][j] += weighted_sum(weights, metric)

    def result(self) -> dict[str, Any]:
        """Means per unit of weight; zeros if nothing weighs anything."""
        total = self.weight if self.weight > 0 else 1.0
        return {
            "loss": self.loss / total,
            "losses": [loss / total for loss in self.losses],
            "metrics": [[metric / total for metric in row] for row in self.metrics],
            "weight": self.weight,
        }


def weighted_sum(weights: Array, values: Array) -> float:
    """Sum of w * value, in float64."""
    return float(np.dot(weights.astype(np.float64), values.astype(np.float64)))
