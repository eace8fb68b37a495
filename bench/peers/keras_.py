"""Keras on JAX, or on what KERAS_BACKEND names: its compiled step, rows picked by NumPy."""

from __future__ import annotations

import os

import numpy as np

from bench.timing import Array, Side
from bench.training.problem import EPSILON, SEED, Convolution

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from keras import layers


def network(problem: Convolution) -> keras.Model:
    """The chain with the problem's weights."""
    chain = [layers.Input(problem.x.shape[1:])]
    for block in problem.blocks:
        chain += [
            layers.Conv2D(filters, 3, padding=problem.padding, activation="relu")
            for filters in block
        ]
        chain.append(layers.MaxPooling2D(2))
    chain.append(layers.Flatten())
    chain += [layers.Dense(units, activation="relu") for units in problem.units[:-1]]
    chain.append(layers.Dense(problem.units[-1]))
    model = keras.Sequential(chain)
    model.set_weights([array for layer in problem.weights() for array in layer])
    # Keras adds epsilon before it corrects the second moment: this is ours in the first step.
    epsilon = EPSILON * (1 - 0.999) ** 0.5
    model.compile(
        optimizer=keras.optimizers.Adam(problem.learning_rate, epsilon=epsilon),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def convolution(problem: Convolution, threads: int) -> list[Side]:
    del threads  # XLA takes them from the affinity of the process
    if problem.precision != "float32":
        return []
    model = network(problem)
    rng = np.random.default_rng(SEED)

    def step(rows: Array) -> float:
        return float(model.train_on_batch(problem.x[rows], problem.y[rows]))

    def run(steps: int) -> int:
        for _ in range(steps):
            step(rng.choice(len(problem.x), problem.batch, replace=False))
        return steps * problem.batch

    def check() -> Array:
        return np.array([step(rows) for rows in problem.batches()])

    return [Side("keras", run, check, operations=problem.operations())]
