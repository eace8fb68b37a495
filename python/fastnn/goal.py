"""What training aims at: the optimizer, and a loss, its weight and metrics for each output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastnn import check, losses, optimizers
from fastnn.data import TargetSpec
from fastnn.losses import Loss
from fastnn.optimizers import Optimizer


@dataclass(frozen=True)
class Goal:
    """The checked arguments of `Model.compile`, one item per output."""

    optimizer: Optimizer
    losses: list[Loss]
    loss_weights: list[float]
    metrics: list[list[str]]

    @classmethod
    def checked(
        cls, names: Sequence[str], optimizer: Any, loss: Any, loss_weights: Any, metrics: Any
    ) -> Goal:
        """Return the goal for outputs of these names."""
        chosen = optimizers.get("optimizer", optimizer)
        found = [losses.get(label, item) for label, item in _each("loss", loss, names)]
        factors = [1.0] * len(names)
        if loss_weights is not None:
            given = _each("loss_weights", loss_weights, names)
            factors = [check.number(label, item, 0) for label, item in given]
        wanted: list[list[str]] = [[] for _ in names]
        if metrics is not None:
            flat = len(names) == 1 and not isinstance(metrics, Mapping)
            given = _each("metrics", [metrics] if flat else metrics, names)
            wanted = [[losses.metric(label, m) for m in _listed(items)] for label, items in given]
        return cls(chosen, found, factors, wanted)

    def compile(self, engine: Any) -> None:
        """Hand the goal to an engine."""
        specs = [loss.spec() for loss in self.losses]
        engine.compile(specs, self.loss_weights, self.optimizer.spec(), self.metrics)

    def targets(self, names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> list[TargetSpec]:
        """Return what y must be."""
        kinds = [loss.targets for loss in self.losses]
        return [TargetSpec(*each) for each in zip(names, shapes, kinds, strict=True)]

    def logs(self, names: Sequence[str], result: Mapping[str, Any]) -> dict[str, float]:
        """Return what an engine found, by name; outputs are named when there are several."""
        logs = {"loss": float(result["loss"])}
        several = len(names) > 1
        if several and "losses" in result:
            pairs = zip(names, result["losses"], strict=True)
            logs.update({f"{name}_loss": float(value) for name, value in pairs})
        for name, metrics, values in zip(names, self.metrics, result["metrics"], strict=True):
            for metric, value in zip(metrics, values, strict=True):
                logs[f"{name}_{metric}" if several else metric] = float(value)
        return logs

    def to_config(self) -> dict[str, Any]:
        """Return the goal as a dict that JSON can hold."""
        return {
            "optimizer": self.optimizer.to_config(),
            "losses": [loss.to_config() for loss in self.losses],
            "loss_weights": self.loss_weights,
            "metrics": self.metrics,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Goal:
        """Return the goal that `to_config` wrote."""
        found = [Loss.from_config(item) for item in config["losses"]]
        names = [str(i) for i in range(len(found))]
        if len(config["metrics"]) != len(found):
            raise check.wrong_value("metrics", f"{len(found)} lists", len(config["metrics"]))
        metrics = dict(zip(names, config["metrics"], strict=True))
        optimizer = Optimizer.from_config(config["optimizer"])
        return cls.checked(names, optimizer, found, config["loss_weights"], metrics)


def _each(argument: str, given: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    """Return (label for messages, setting) for each output."""
    if isinstance(given, Mapping):
        if sorted(map(str, given)) != sorted(names):
            expected = "the names of the outputs, " + ", ".join(names)
            raise check.wrong_value(argument, expected, ", ".join(map(str, given)) or "none")
        return [(f"{argument}[{name!r}]", given[name]) for name in names]
    items = _listed(given) if given is not None else [None]
    if len(items) != len(names):
        raise check.wrong_value(argument, f"one for each of {len(names)} outputs", len(items))
    return [(argument, item) for item in items]


def _listed(items: Any) -> list[Any]:
    if items is None:
        return []
    return list(items) if isinstance(items, list | tuple) else [items]
