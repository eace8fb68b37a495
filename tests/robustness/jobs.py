"""Small trainings of each kind, alike in every test and in the processes that tests start."""

import fastnn
import numpy as np
from fastnn import layers, optimizers


def dense(width=64, seed=3):
    """A classifier with noise, and its data."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1000, 20)).astype(np.float32)
    y = (x @ random.normal(size=(20, 4))).argmax(axis=1)
    stack = [
        layers.Dense(width, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(width, activation="tanh"),
        layers.GaussianNoise(0.1),
        layers.Dense(4, activation="softmax"),
    ]
    model = fastnn.Sequential(stack, input_shape=20, seed=seed)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model, x, y


def wide():
    """The same with layers wide enough to be worth more than one thread."""
    return dense(width=512)


def clipped():
    """The same with a norm over all gradients, which cuts a step in two."""
    model, x, y = dense(width=512)
    model.compile(
        optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5), "categorical_crossentropy"
    )
    return model, x, y


def tables():
    """Two tables of vectors and their dot product; and its data."""
    random = np.random.default_rng(1)
    ids = [random.integers(n, size=5000, dtype=np.int32) for n in (300, 200)]
    users, items = (fastnn.Input((), dtype="int32", name=name) for name in ("users", "items"))
    sides = [layers.Embedding(300, 16)(users), layers.Embedding(200, 16)(items)]
    model = fastnn.Model([users, items], layers.Dot()(sides), seed=5)
    model.compile(optimizers.Adagrad(0.1), "mse")
    return model, ids, random.normal(size=(5000, 1)).astype(np.float32)


JOBS = {"dense": dense, "wide": wide, "clipped": clipped, "tables": tables}


def bits(model):
    """Return all weights of a model as bytes."""
    return b"".join(weights.tobytes() for weights in model.get_weights())
