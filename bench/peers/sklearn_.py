"""scikit-learn's MLP through `partial_fit`, which shuffles and cuts batches inside each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from bench.timing import Array, Side
from bench.training.problem import EPSILON, SEED, Dense, Prediction


def estimator(problem: Dense) -> Any:
    """An unfitted estimator with the problem's settings; scikit-learn halves the squared error."""
    kind = MLPRegressor if problem.loss == "mse" else MLPClassifier
    return kind(
        hidden_layer_sizes=problem.units[:-1],
        activation="relu",
        alpha=0.0,
        batch_size=problem.batch,
        learning_rate_init=problem.learning_rate,
        epsilon=EPSILON,
        random_state=SEED,
    )


def started(problem: Dense) -> tuple[Any, Callable[[Array], float]]:
    """An estimator at the problem's weights, and a function that trains it on rows: their loss."""
    model = estimator(problem)
    y = problem.y[:, 0] if problem.loss == "mse" else problem.y
    classes = {} if problem.loss == "mse" else {"classes": np.unique(y)}
    first = np.arange(problem.batch)
    model.partial_fit(problem.x[first], y[first], **classes)
    for (w, b), kernel, bias in zip(
        problem.weights(), model.coefs_, model.intercepts_, strict=True
    ):
        kernel[:], bias[:] = w, b
    del model._optimizer  # its next call starts Adam anew

    def train(rows: Array) -> float:
        model.partial_fit(problem.x[rows], y[rows])
        return float(model.loss_) * (2 if problem.loss == "mse" else 1)

    return model, train


def dense(problem: Dense, threads: int) -> list[Side]:
    if set(problem.activations[:-1]) != {"relu"} or problem.activations[-1] == "sigmoid":
        return []
    if problem.precision != "float32":
        return []
    _, train = started(problem)
    rng = np.random.default_rng(SEED)
    chunk = min(len(problem.x), 64 * problem.batch)  # rows of one call of partial_fit

    def run(calls: int) -> int:
        with threadpool_limits(threads):
            for _ in range(calls):
                train(rng.choice(len(problem.x), chunk, replace=False))
        return calls * chunk

    def check() -> Array:
        with threadpool_limits(threads):
            return np.array([train(rows) for rows in problem.batches()])

    return [Side("sklearn", run, check, operations=problem.operations())]


def inference(problem: Prediction, threads: int) -> list[Side]:
    model, _ = started(problem.network)

    def run(calls: int) -> int:
        with threadpool_limits(threads):
            for _ in range(calls):
                model.predict_proba(problem.x)
        return calls * len(problem.x)

    return [Side("sklearn", run, lambda: np.asarray(model.predict_proba(problem.x)))]
