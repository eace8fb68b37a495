"""JAX at its best: an epoch in one `lax.scan` under `jit`, the data converted beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.timing import Array, Side
from bench.training.problem import EPSILON, SEED, Convolution, Dense, Ratings

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda z: z,
    "softmax": lambda z: z,  # left to the loss
}
BETA_1, BETA_2 = 0.9, 0.999


def adam(parameters: Any, slots: Any, gradients: Any, t: Any, learning_rate: float) -> Any:
    """One step of Adam on every leaf of the tree of parameters."""
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, slots[0], gradients)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, slots[1], gradients)
    a, b = learning_rate / (1 - BETA_1**t), 1 / (1 - BETA_2**t)
    parameters = jax.tree.map(
        lambda w, m, v: w - a * m / (jnp.sqrt(v * b) + EPSILON), parameters, m, v
    )
    return parameters, (m, v)


def take(column: Any, rows: Any) -> Any:
    return column.at[rows].get(mode="promise_in_bounds")


def cross_entropy(z: Any, labels: Any) -> Any:
    return (jax.nn.logsumexp(z, axis=1) - jnp.take_along_axis(z, labels[:, None], 1)[:, 0]).mean()


class Scan:
    """Training as one compiled loop; `loss_of(parameters, key, *batch)` is differentiated."""

    def __init__(
        self,
        name: str,
        columns: list[Array],
        batch: int,
        parameters: Any,
        learning_rate: float,
        loss_of: Callable[..., Any],
        check_batches: Array,
        group: str = "",
    ) -> None:
        self.columns = [jnp.asarray(column) for column in columns]
        self.n, self.batch = len(columns[0]), batch
        self.check_batches = check_batches
        parameters = jax.tree.map(jnp.asarray, parameters)
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        self.state = (parameters, (zeros, jax.tree.map(jnp.copy, zeros)), jnp.float32(0))
        self.rng = np.random.default_rng(SEED)
        self.name, self.group = name, group

        def step(state: Any, columns: Any, rows: Any, key: Any) -> Any:
            parameters, slots, t = state
            values = [take(column, rows) for column in columns]
            loss, gradients = jax.value_and_grad(loss_of)(
                parameters, jax.random.fold_in(key, t.astype(jnp.int32)), *values
            )
            parameters, slots = adam(parameters, slots, gradients, t + 1, learning_rate)
            return (parameters, slots, t + 1), loss

        @partial(jax.jit, donate_argnums=0)
        def epoch(state: Any, columns: Any, order: Any, key: Any) -> Any:
            return jax.lax.scan(lambda state, rows: step(state, columns, rows, key), state, order)

        self.epoch = epoch
        self.step = jax.jit(step, donate_argnums=0)

    def train(self, order: Array) -> Array:
        key = jax.random.key(int(self.rng.integers(2**31)))
        self.state, losses = self.epoch(self.state, self.columns, order.astype(np.int32), key)
        return np.asarray(losses)  # waits for the result

    def run(self, epochs: int) -> int:
        steps = self.n // self.batch
        for _ in range(epochs):
            order = self.rng.permutation(self.n)[: steps * self.batch]
            self.train(order.reshape(steps, self.batch))
        return epochs * steps * self.batch

    def side(self, operations: float = 0.0) -> Side:
        check = partial(self.train, self.check_batches)
        return Side(self.name, self.run, check, self.group, operations)

    def side_of_steps(self, operations: float) -> Side:
        """A compiled step in place of a scan, in whose loop XLA convolves fifteen times slower."""
        key = jax.random.key(SEED)

        def train(rows: Array) -> float:
            self.state, loss = self.step(self.state, self.columns, rows.astype(np.int32), key)
            return float(loss)  # waits for the result

        def run(steps: int) -> int:
            for _ in range(steps):
                train(self.rng.choice(self.n, self.batch, replace=False))
            return steps * self.batch

        def check() -> Array:
            return np.array([train(rows) for rows in self.check_batches])

        return Side(self.name, run, check, self.group, operations)


def dense(problem: Dense, threads: int) -> list[Side]:
    del threads  # XLA takes them from the affinity of the process
    if problem.precision != "float32":
        return []

    def loss_of(layers: Any, key: Any, x: Any, y: Any) -> Any:
        penalty = jnp.float32(0)
        if problem.noise:
            x = x + problem.noise * jax.random.normal(key, x.shape)
        for i, ((w, b), name) in enumerate(zip(layers, problem.activations, strict=True)):
            x = ACTIVATIONS[name](x @ w + b)
            if problem.code_l1 and i == problem.code:
                penalty = problem.code_l1 * jnp.abs(x).sum() / len(x)
        if problem.loss == "mse":
            return ((x - y) ** 2).mean() + penalty
        return cross_entropy(x, y)

    scan = Scan(
        "jax scan",
        [problem.x, problem.y if problem.loss == "mse" else problem.y.astype(np.int32)],
        problem.batch,
        problem.weights(),
        problem.learning_rate,
        loss_of,
        problem.batches(),
    )
    return [scan.side(problem.operations())]


def convolution(problem: Convolution, threads: int) -> list[Side]:
    del threads
    if problem.precision != "float32":
        return []
    n_convolutions = len(problem.sizes()[0])
    ends = list(itertools.accumulate(map(len, problem.blocks)))

    def loss_of(layers: Any, key: Any, x: Any, y: Any) -> Any:
        del key
        for i, (w, b) in enumerate(layers[:n_convolutions], start=1):
            x = jax.lax.conv_general_dilated(
                x, w, (1, 1), problem.padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = jax.nn.relu(x + b)
            if i in ends:
                n, h, w, c = x.shape  # faster than lax.reduce_window
                x = x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
        x = x.reshape(len(x), -1)
        for w, b in layers[n_convolutions:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = layers[-1]
        return cross_entropy(x @ w + b, y)

    scan = Scan(
        "jax",
        [problem.x, problem.y.astype(np.int32)],
        problem.batch,
        problem.weights(),
        problem.learning_rate,
        loss_of,
        problem.batches(),
    )
    return [scan.side_of_steps(problem.operations())]


def factorisation(problem: Ratings, threads: int) -> list[Side]:
    del threads

    def loss_of(tables: Any, key: Any, users: Any, items: Any, ratings: Any) -> Any:
        del key
        score = (take(tables["user"], users) * take(tables["item"], items)).sum(1)
        score += take(tables["user_bias"], users)[:, 0] + take(tables["item_bias"], items)[:, 0]
        predicted = problem.low + (problem.high - problem.low) * jax.nn.sigmoid(score)
        return ((predicted - ratings) ** 2).mean()

    scan = Scan(
        "jax scan",
        [problem.users.astype(np.int32), problem.items.astype(np.int32), problem.ratings],
        problem.batch,
        problem.weights(),
        problem.learning_rate,
        loss_of,
        problem.batches(),
        group="dense",
    )
    return [scan.side()]
