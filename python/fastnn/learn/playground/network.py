"""The model that settings ask for, ready to be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import Model, Sequential, layers, losses, optimizers
from fastnn.layers import Dense
from fastnn.learn.playground import schema
from fastnn.losses import Loss
from fastnn.optimizers import Optimizer
from fastnn.regularizers import L1L2

Array = NDArray[Any]

OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    "sgd": optimizers.SGD,
    "adagrad": optimizers.Adagrad,
    "rmsprop": optimizers.RMSprop,
    "adam": optimizers.Adam,
    "adamw": optimizers.AdamW,
    "ftrl": optimizers.FTRL,
}
LOSSES: Mapping[str, type[Loss]] = {
    "squared": losses.MeanSquaredError,
    "absolute": losses.MeanAbsoluteError,
    "huber": losses.Huber,
}
CLIPS = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}


def build(settings: Mapping[str, Any], inputs: int, classes: int) -> Sequential:
    """Return the compiled model of settings, with its initial weights.

    Parameters
    ----------
    settings : dict
        All settings of the schema.
    inputs : int
        Features.
    classes : int
        Classes of the data, for several classes.
    """
    model = Sequential(stack(settings, classes), input_shape=inputs, seed=settings["seed"])
    model.compile(optimizer(settings), loss(settings))
    if settings["initial_scale"] != 1:
        model.set_weights([settings["initial_scale"] * weight for weight in model.get_weights()])
    return model


def stack(settings: Mapping[str, Any], classes: int) -> list[layers.Layer]:
    """Return the layers: noise, then each hidden layer and its dropout, then the output."""
    found: list[layers.Layer] = []
    if settings["input_noise"]:
        found.append(layers.GaussianNoise(settings["input_noise"]))
    penalty = _penalty(settings["l1"], settings["l2"])
    activity = _penalty(settings["activity_l1"], settings["activity_l2"])
    pairs = zip(settings["layers"], settings["activations"], strict=True)
    for position, (units, activation) in enumerate(pairs, 1):
        found.append(
            Dense(
                units,
                activation,
                kernel_initializer=settings["initializer"],
                kernel_regularizer=penalty,
                activity_regularizer=activity,
                name=f"hidden_{position}",
            )
        )
        if settings["dropout"]:
            found.append(layers.Dropout(settings["dropout"]))
    units, activation = output(settings["task"], classes)
    found.append(
        Dense(
            units,
            activation,
            kernel_initializer=settings["initializer"],
            kernel_regularizer=penalty,
            name="output",
        )
    )
    return found


def output(task: str, classes: int) -> tuple[int, str | None]:
    """Return the units and the activation of the output."""
    return {
        "binary": (1, "sigmoid"),
        "multiclass": (max(classes, 2), "softmax"),
        "regression": (1, None),
    }[task]


def optimizer(settings: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of settings."""
    return OPTIMIZERS[settings["optimizer"]](**optimizer_arguments(settings))


def optimizer_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the optimizer that differ from what it takes by itself."""
    kind = OPTIMIZERS[settings["optimizer"]]
    names = ("momentum", "nesterov", "rho", "centered", "beta_1", "beta_2", "weight_decay")
    wanted = {name: settings[name] for name in names if _counts(name, settings)}
    if "weight_decay" in wanted:
        wanted["weight_decay"] = wanted["weight_decay"] or None
    if settings["clip"] != "none":
        wanted[CLIPS[settings["clip"]]] = settings["clip_at"]
    plain = kind()
    differing = {name: value for name, value in wanted.items() if getattr(plain, name) != value}
    return {"learning_rate": settings["learning_rate"], **differing}


def loss(settings: Mapping[str, Any]) -> Loss:
    """Return the loss of settings; the natural one is log-loss, or squared error for numbers."""
    if settings["loss"] != "natural":
        return LOSSES[settings["loss"]]()
    if settings["task"] == "binary":
        return losses.BinaryCrossentropy()
    if settings["task"] == "multiclass":
        return losses.CategoricalCrossentropy()
    return losses.MeanSquaredError()


def targets(settings: Mapping[str, Any], classes: int, y: Array) -> Array:
    """Return targets in the form that the loss wants."""
    if not one_hot(settings):
        return y
    return np.asarray(np.eye(output(settings["task"], classes)[0])[y])


def one_hot(settings: Mapping[str, Any]) -> bool:
    """Tell whether labels must be given as rows of 0 and 1."""
    return bool(settings["task"] == "multiclass" and settings["loss"] != "natural")


def hidden_outputs(model: Sequential) -> Model:
    """Return a model of the same inputs whose outputs are those of every hidden layer."""
    values = model.network.values
    return Model(model.inputs, [values[name] for name in values if name.startswith("hidden_")])


def _penalty(l1: float, l2: float) -> L1L2 | None:
    return L1L2(l1, l2) if l1 or l2 else None


def _counts(name: str, settings: Mapping[str, Any]) -> bool:
    return schema.counts(schema.BY_NAME[name], settings)
