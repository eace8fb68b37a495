"""Our side of every contest, through the public API alone."""

from __future__ import annotations

from typing import Any

import fastnn
import numpy as np
from fastnn import layers, losses, optimizers, regularizers

from bench.tables.problem import (
    CHECK_EPOCHS,
    LEARNING_RATE,
    PAIR_DECAY,
    PAIR_RATE,
    Classes,
    Lookups,
    Pairs,
)
from bench.tables.problem import EPSILON as ADAGRAD_EPSILON
from bench.timing import Array, Side
from bench.training.problem import EPSILON, SEED, Convolution, Dense, Prediction, Ratings

LOSSES = {"mse": losses.MeanSquaredError, "categorical": losses.CategoricalCrossentropy}


def first_losses(model: fastnn.Model, x: Any, y: Array, batches: Array) -> Array:
    """Train the first steps; the arrays are converted here, once, as the peers' are."""
    n_steps, batch = batches.shape
    first = model.train_steps(1, x, y, batch_size=batch)
    rest = [model.train_steps(1, batch_size=batch) for _ in range(n_steps - 1)]
    return np.array([result["loss"] for result in (first, *rest)])


def training(
    name: str,
    model: fastnn.Model,
    x: Any,
    y: Array,
    batches: Array,
    group: str = "",
    operations: float = 0.0,
) -> Side:
    """Train whole epochs."""
    n, (n_checked, batch) = len(y), batches.shape
    n_steps = -(-n // batch)

    def check() -> Array:
        result = first_losses(model, x, y, batches)
        if n_checked < n_steps:
            model.train_steps(n_steps - n_checked, batch_size=batch)
        return result

    def run(epochs: int) -> int:
        model.train_steps(epochs * n_steps, batch_size=batch)
        return epochs * n

    return Side(name, run, check, group, operations)


def network(problem: Dense) -> fastnn.Sequential:
    """The chain with the problem's weights."""
    chain: list[layers.Layer] = []
    if problem.noise:
        chain.append(layers.GaussianNoise(problem.noise))
    for i, (units, activation) in enumerate(zip(problem.units, problem.activations, strict=True)):
        l1 = problem.code_l1 if i == problem.code else 0.0
        penalty = regularizers.L1(l1) if l1 else None
        chain.append(layers.Dense(units, activation, activity_regularizer=penalty))
    model = fastnn.Sequential(
        chain, input_shape=problem.x.shape[1], seed=SEED, precision=problem.precision
    )
    model.set_weights([array for layer in problem.weights() for array in layer])
    adam = optimizers.Adam(problem.learning_rate, epsilon=EPSILON)
    model.compile(adam, LOSSES[problem.loss]())
    return model


def convolutional(problem: Convolution) -> fastnn.Sequential:
    """The chain with the problem's weights."""
    chain: list[layers.Layer] = []
    for block in problem.blocks:
        chain += [
            layers.Conv2D(filters, 3, padding=problem.padding, activation="relu")
            for filters in block
        ]
        chain.append(layers.MaxPooling2D(2))
    chain.append(layers.Flatten())
    chain += [layers.Dense(units, "relu") for units in problem.units[:-1]]
    chain.append(layers.Dense(problem.units[-1], "softmax"))
    model = fastnn.Sequential(
        chain, input_shape=problem.x.shape[1:], seed=SEED, precision=problem.precision
    )
    model.set_weights([array for layer in problem.weights() for array in layer])
    adam = optimizers.Adam(problem.learning_rate, epsilon=EPSILON)
    model.compile(adam, "categorical_crossentropy")
    return model


def factoriser(problem: Ratings, sparse_update: str) -> fastnn.Model:
    """Two tables and two biases under a scaled sigmoid, with the problem's weights."""
    user, item = fastnn.Input((1,), dtype="int32"), fastnn.Input((1,), dtype="int32")

    def table(name: str, rows: int, width: int) -> layers.Embedding:
        return layers.Embedding(rows, width, sparse_update=sparse_update, name=name)

    users = table("user", problem.n_users, problem.width)(user)
    items = table("item", problem.n_items, problem.width)(item)
    user_bias = table("user_bias", problem.n_users, 1)(user)
    item_bias = table("item_bias", problem.n_items, 1)(item)
    score = layers.Add()([layers.Dot()([users, items]), user_bias, item_bias])
    share = layers.Activation("sigmoid")(score)
    rating = layers.Rescaling(problem.high - problem.low, problem.low)(share)
    model = fastnn.Model([user, item], rating, seed=SEED)
    model.set_weights({f"{name}/embeddings": w for name, w in problem.weights().items()})
    model.compile(optimizers.Adam(problem.learning_rate, epsilon=EPSILON), "mse")
    return model


def dense(problem: Dense, threads: int) -> list[Side]:
    fastnn.set_num_threads(threads)
    model, operations = network(problem), problem.operations()
    side = training("fastnn", model, problem.x, problem.y, problem.batches(), "", operations)
    return [side]


def convolution(problem: Convolution, threads: int) -> list[Side]:
    """Train steps, as an epoch takes seconds; the operations are those of Winograd."""
    fastnn.set_num_threads(threads)
    model, batches = convolutional(problem), problem.batches()

    def run(steps: int) -> int:
        model.train_steps(steps, batch_size=problem.batch)
        return steps * problem.batch

    def check() -> Array:
        return first_losses(model, problem.x, problem.y, batches)

    return [Side("fastnn", run, check, operations=problem.operations(winograd=True))]


def factorisation(problem: Ratings, threads: int) -> list[Side]:
    fastnn.set_num_threads(threads)
    x = [problem.users[:, None], problem.items[:, None]]
    batches = problem.batches()
    updates = {"sparse": "touched", "dense": "dense"}
    return [
        training(f"fastnn {group}", factoriser(problem, update), x, problem.ratings, batches, group)
        for group, update in updates.items()
    ]


def looking_up(problem: Lookups, threads: int) -> list[Side]:
    """A model, which also works out the loss and from it the gradients that peers are handed."""
    fastnn.set_num_threads(threads)
    shape = problem.ids.shape[1:]
    given = fastnn.Input(shape, dtype="int32", vocabulary=problem.rows)
    table = (
        layers.EmbeddingBag(problem.rows, problem.width, mode="sum")
        if shape
        else layers.Embedding(problem.rows, problem.width)
    )
    score = layers.Dense(1, use_bias=False, trainable=False)(table(given))
    model = fastnn.Model(given, score, seed=SEED)
    model.set_weights([problem.table, problem.direction[:, None]])
    adagrad = optimizers.Adagrad(
        LEARNING_RATE,
        initial_accumulator_value=0.0,
        epsilon=ADAGRAD_EPSILON,
        rowwise=problem.rowwise,
    )
    model.compile(adagrad, "mse")

    def run(steps: int) -> int:
        model.train_steps(steps, batch_size=problem.batch)
        return steps * problem.batch * problem.lookups

    def check() -> Array:
        return first_losses(model, problem.ids, problem.targets[:, None], problem.batches())

    return [Side("fastnn", run, check)]


def choosing(problem: Classes, threads: int) -> list[Side]:
    fastnn.set_num_threads(threads)
    user = fastnn.Input((), dtype="int32", vocabulary=problem.n_users)
    vector = layers.Embedding(problem.n_users, problem.width, name="user")(user)
    score = layers.Scores(problem.n_items, use_bias=False, name="item")(vector)
    model = fastnn.Model(user, score, seed=SEED)
    model.set_weights({f"{name}/embeddings": w for name, w in problem.weights().items()})
    adagrad = optimizers.Adagrad(
        LEARNING_RATE, initial_accumulator_value=0.0, epsilon=ADAGRAD_EPSILON
    )
    model.compile(adagrad, losses.SampledSoftmax(problem.negatives))
    batches, operations = problem.batches(), problem.operations()
    return [training("fastnn", model, problem.users, problem.labels, batches, "", operations)]


def ranking(problem: Pairs, threads: int) -> list[Side]:
    """The rate of a step is that of a pair times the pairs, since its loss is their mean."""
    fastnn.set_num_threads(threads)
    user = fastnn.Input((), dtype="int32", vocabulary=problem.n_users)
    vector = layers.Embedding(problem.n_users, problem.width, name="user")(user)
    model = fastnn.Model(user, layers.Scores(problem.n_items, name="item")(vector), seed=SEED)
    ends = np.searchsorted(problem.users, np.arange(problem.n_users + 1))
    model.exclude_negatives(0, (ends, problem.items))
    sgd = optimizers.SGD(PAIR_RATE * problem.batch, weight_decay=PAIR_DECAY / problem.batch)
    model.compile(sgd, losses.BPR(sampler="unigram", power=1.0))
    model.train_steps(1, problem.users, problem.items, batch_size=problem.batch)
    n_steps = -(-len(problem.users) // problem.batch)

    def run(epochs: int) -> int:
        model.train_steps(epochs * n_steps, batch_size=problem.batch)
        return epochs * len(problem.users)

    def check() -> Array:
        run(CHECK_EPOCHS)
        names = (name for name, _ in model.parameters())
        found = dict(zip(names, model.get_weights(), strict=True))
        users, items = (found[f"{name}/embeddings"] for name in ("user", "item"))
        ones = np.ones((len(users), 1), np.float32)
        return problem.told_apart(
            np.hstack([users, ones]), np.hstack([items, found["item/bias"][:, None]])
        )

    return [Side("fastnn BPR", run, check)]


def inference(problem: Prediction, threads: int) -> list[Side]:
    fastnn.set_num_threads(threads)
    model = network(problem.network)

    def run(calls: int) -> int:
        for _ in range(calls):
            model.predict(problem.x)
        return calls * len(problem.x)

    return [Side("fastnn", run, lambda: np.asarray(model.predict(problem.x)))]
