"""The loop over epochs and steps that `Model` runs on its engine."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check, data
from fastnn.callbacks import Callback, History
from fastnn.data import Examples

if TYPE_CHECKING:
    from fastnn.model import Model

Array = NDArray[Any]


@dataclass(frozen=True)
class Progress:
    """Where training stands: the epoch, the steps done in it and in all, and what cuts it."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    rows: int = 0
    batch_size: int = 0

    def at_epoch_start(self) -> Progress:
        """Return the start of the next epoch, or this one where it has just begun."""
        return replace(self, epoch=self.epoch + 1, step_in_epoch=0) if self.step_in_epoch else self

    def after(self, steps: int) -> Progress:
        """Return where training stands some steps later."""
        later = replace(self, step_in_epoch=self.step_in_epoch + steps, step=self.step + steps)
        over = later.step_in_epoch * self.batch_size >= self.rows
        return later.at_epoch_start() if over else later


@dataclass(frozen=True)
class Pace:
    """How a call goes through its examples."""

    batch_size: int
    shuffle: bool
    threads: int

    def steps(self, n: int) -> int:
        """Return the steps of an epoch of n examples."""
        return -(-n // self.batch_size)


class Turn:
    """Lets one thread train a model at a time; a forked child starts afresh."""

    def __init__(self) -> None:
        self._pid, self._lock = os.getpid(), threading.RLock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the turn; ValueError if another thread has it."""
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.RLock()
        if not self._lock.acquire(blocking=False):
            raise check.wrong_value(
                "model", "one thread at a time to change it", "a call while another one trains it"
            )
        try:
            yield
        finally:
            self._lock.release()


def fit(
    model: Model,
    examples: Examples,
    validation: Examples | None,
    pace: Pace,
    epochs: int,
    callbacks: Sequence[Callback],
) -> History:
    """Run epochs, tell the callbacks, and return the record."""
    history = History()
    model.progress = model.progress.at_epoch_start()
    model.history, model.stop_training = history, False
    steps = pace.steps(len(examples))
    start, total = model.progress.step, steps * epochs
    begun: list[Callback] = []
    try:
        for callback in callbacks:
            callback.on_train_begin(model, epochs)
            begun.append(callback)
        for _ in range(epochs):
            epoch, clock = model.progress.epoch, time.perf_counter()
            for callback in callbacks:
                callback.on_epoch_begin(model, epoch)
            rates = _rates(model, model.progress.step - start, steps, total)
            logs = model.name_results(run(model, examples, pace, rates))
            if validation is not None:
                found = model.evaluate_examples(validation, pace)
                logs.update({f"val_{name}": value for name, value in found.items()})
            logs["penalty"] = model.network.penalty()
            logs["seconds"] = time.perf_counter() - clock
            history.append(epoch, logs)
            for callback in callbacks:
                callback.on_epoch_end(model, epoch, logs)
            if model.stop_training:
                break
    finally:
        for callback in begun:
            callback.on_train_end(model)
    return history


def steps(
    model: Model, examples: Examples, pace: Pace, n: int, total: int | None
) -> dict[str, Any]:
    """Run n steps from where training stands, across epochs; return results as an engine does."""
    assert model.goal is not None
    schedule = model.goal.optimizer.learning_rate
    if total is None and getattr(schedule, "per_fit", False):
        expected = f"the number of steps that {schedule!r} spans"
        raise check.wrong_value("total_steps", expected, "None")
    if (model.progress.rows, model.progress.batch_size) != (len(examples), pace.batch_size):
        model.progress = model.progress.at_epoch_start()
    per_epoch, found = pace.steps(len(examples)), []
    while n > 0:
        part = min(n, per_epoch - model.progress.step_in_epoch)
        rates = _rates(model, model.progress.step, part, total or 0)
        found.append(run(model, examples, pace, rates))
        n -= part
    return _merged(found)


def run(model: Model, examples: Examples, pace: Pace, rates: Array) -> dict[str, Any]:
    """Run steps of one epoch on the engine."""
    engine = model.network.engine
    model.progress = replace(model.progress, rows=len(examples), batch_size=pace.batch_size)
    before = snapshot(model) if model.backend == "numpy" else None
    at = model.progress
    try:
        result: dict[str, Any] = engine.train(
            examples.inputs,
            examples.targets,
            examples.weights,
            pace.batch_size,
            pace.shuffle,
            model.seed,
            at.epoch,
            at.step_in_epoch,
            rates,
            pace.threads,
            None,
        )
    except BaseException:
        if before is not None:  # NumPy may have been stopped in the middle of a step
            restore(model, before)
        raise
    model.progress = at.after(result["steps"])
    if result["diverged"]:
        raise ValueError(
            f"loss: became nan at epoch {at.epoch}, step {at.step_in_epoch + result['steps']}; "
            "try a smaller learning_rate or scaled inputs"
        )
    if result["interrupted"]:
        raise result.get("exception") or KeyboardInterrupt
    return result


@contextmanager
def kept_true(model: Model) -> Iterator[None]:
    """Bring `model.progress` to what the engine has done, wherever an interrupt came."""
    try:
        yield
    except BaseException:
        if model.built and model.goal is not None:
            done = int(model.network.engine.state()["step"]) - model.progress.step
            model.progress = model.progress.after(done) if done else model.progress
        raise


def split(examples: Examples, share: float) -> tuple[Examples, Examples]:
    """Return the examples but the last `share` of them, and those."""
    n = int(len(examples) * (1 - share))
    if not 0 < n < len(examples):
        expected = f"a share that leaves rows on both sides of {len(examples)}"
        raise check.wrong_value("validation_split", expected, share)
    return examples.split(n)


def snapshot(model: Model) -> tuple[list[Array], dict[str, Array]]:
    """Return copies of the weights and of the optimizer's state."""
    return model.get_weights(), model.network.engine.state()


def restore(model: Model, saved: tuple[list[Array], dict[str, Array]]) -> None:
    """Put a snapshot back."""
    model.set_weights(saved[0])
    model.network.engine.set_state(saved[1])


def with_class_weight(
    examples: Examples, class_weight: Mapping[Any, float] | None, dtype: str
) -> Examples:
    """Return the examples with each row's weight multiplied by that of its class."""
    if class_weight is None:
        return examples
    if not isinstance(class_weight, Mapping):
        raise check.wrong_type("class_weight", "a dict of label to weight", class_weight)
    targets = examples.targets
    if len(targets) != 1 or math.prod(targets[0].shape[1:]) != 1:
        raise check.wrong_value("class_weight", "None unless y is one column of labels", "a dict")
    labels = targets[0].reshape(len(examples))
    factors = np.ones(len(labels), dtype)
    for label, factor in class_weight.items():
        check.number("class_weight", label)
        factors[labels == label] = check.number(f"class_weight[{label!r}]", factor, 0)
    if examples.weights is not None:
        factors *= examples.weights
    return Examples(
        examples.inputs, targets, data.convert_weights("class_weight", factors, len(labels), dtype)
    )


def _rates(model: Model, fit_step: int, n: int, total: int) -> Array:
    assert model.goal is not None
    optimizer = model.goal.optimizer
    per_fit = getattr(optimizer.learning_rate, "per_fit", False)
    return optimizer.rates(fit_step if per_fit else model.progress.step, n, total)


def _merged(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the weighted means of results."""
    weight = sum(result["weight"] for result in results)
    shares = [result["weight"] / weight if weight else 0.0 for result in results]
    pairs = list(zip(shares, results, strict=True))
    first = results[0]["metrics"]
    return {
        "loss": sum(share * result["loss"] for share, result in pairs),
        "metrics": [
            [
                sum(share * result["metrics"][i][j] for share, result in pairs)
                for j in range(len(row))
            ]
            for i, row in enumerate(first)
        ],
        "weight": weight,
    }
