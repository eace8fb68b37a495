"""Every setting of the playground, once: form, link, check and exported script come from here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from fastnn import check
from fastnn.layers import ACTIVATIONS
from fastnn.learn.playground.fields import Choice, Field, Integer, Number, Several

Settings = dict[str, Any]

SYNTHETIC = ("circles", "moons", "spiral", "xor", "blobs", "pinwheel", "plane", "hills")
REAL = ("iris", "wine", "cancer", "csv")
MOMENTUM = {"optimizer": ("sgd", "rmsprop")}
MADE = {"data": SYNTHETIC}
TABLE = {"data": REAL}
COLUMNS = {**TABLE, "axes": ("columns",)}
_UNITS = Integer("layers", "units", 8, "net", "net", "Units of this layer.", low=1, high=256)
_ACTIVATION = Choice(
    "activations",
    "activation",
    "relu",
    "net",
    "live",
    "What a unit makes of its weighted sum.",
    choices=tuple(name for name in ACTIVATIONS if name not in {"linear", "softmax"}),
)
_FEATURE = Choice(
    "features",
    "feature",
    "x1",
    "net",
    "net",
    "What the network is shown of a point.",
    choices=("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)"),
)

FIELDS: tuple[Field, ...] = (
    Choice(
        "data",
        "data set",
        "spiral",
        "data",
        "data",
        "Points to learn from: eight made sets, your own drawing, three real sets, or your file.",
        lesson=9,
        choices=(*SYNTHETIC, "drawn", *REAL),
        titles=(
            *("two circles", "two moons", "two spirals", "checkerboard (xor)", "three blobs"),
            *("pinwheel, five arms", "a plane to fit", "hills to fit", "draw your own"),
            *("iris", "wine", "breast cancer", "your CSV file"),
        ),
    ),
    Choice(
        "axes",
        "axes",
        "pca",
        "data",
        "data",
        "The two numbers shown of a row: its two main directions (PCA), or two columns.",
        16,
        TABLE,
        choices=("pca", "columns"),
        titles=("two main directions (PCA)", "two columns"),
    ),
    Integer(
        *("column_1", "first column", 0, "data", "data", "The column along the horizontal axis."),
        when=COLUMNS,
        high=999,
    ),
    Integer(
        *("column_2", "second column", 1, "data", "data", "The column along the vertical axis."),
        when=COLUMNS,
        high=999,
    ),
    Integer(
        *("points", "points", 400, "data", "data", "How many points are made."),
        when=MADE,
        low=20,
        high=2000,
        step=20,
    ),
    Number(
        *("noise", "noise", 0.1, "data", "data", "How far chance moves the points, or targets."),
        when=MADE,
        step=0.05,
    ),
    Number(
        "train_share",
        "training share",
        0.7,
        "data",
        "data",
        "Share of the points to learn from; the others tell how well it works on unseen ones.",
        low=0.05,
        high=0.95,
        step=0.05,
    ),
    Field(
        "scaling",
        "scale inputs",
        True,
        "data",
        "data",
        "Give each input mean 0 and standard deviation 1 over the training points.",
        2,
    ),
    Integer(
        "seed",
        "seed",
        7,
        "data",
        "data",
        "Fixes all chance: points, split, initial weights, order of batches. Same seed, same run.",
        high=2**31 - 1,
    ),
    Choice(
        "task",
        "task",
        "binary",
        "task",
        "net",
        "Two classes (sigmoid), several classes (softmax), or a number (regression).",
        choices=("binary", "multiclass", "regression"),
        titles=("one class or the other", "several classes", "a number"),
    ),
    Choice(
        "loss",
        "loss",
        "natural",
        "task",
        "live",
        "What training makes small: natural is log-loss for classes, squared error for numbers.",
        1,
        choices=("natural", "squared", "absolute", "huber"),
    ),
    Several(
        "features",
        "features",
        ("x1", "x2"),
        "net",
        "net",
        "What the network is shown of each point.",
        item=_FEATURE,
        least=1,
        most=7,
        distinct=True,
    ),
    Several(
        *("layers", "hidden layers", (16, 16), "net", "net", "Units of each hidden layer."),
        9,
        item=_UNITS,
    ),
    Several(
        "activations",
        "activations",
        ("relu", "relu"),
        "net",
        "live",
        "What the units of each layer make of their weighted sum; the last one goes on.",
        9,
        item=_ACTIVATION,
    ),
    Choice(
        "initializer",
        "initial weights",
        "he_normal",
        "net",
        "net",
        "Where weights begin: He suits relu, Glorot tanh and sigmoid; zeros never break symmetry.",
        10,
        choices=("he_normal", "glorot_uniform", "zeros"),
    ),
    Number(
        "initial_scale",
        "initial size",
        1.0,
        "net",
        "net",
        "Multiplies the initial weights: too large explodes, too small vanishes.",
        10,
        low=0.01,
        high=10,
        log=True,
    ),
    Choice(
        "optimizer",
        "optimizer",
        "adam",
        "optimizer",
        "live",
        "The rule that turns gradients into steps.",
        2,
        choices=("sgd", "adagrad", "rmsprop", "adam", "adamw", "ftrl"),
    ),
    Number(
        "learning_rate",
        "learning rate",
        0.01,
        "optimizer",
        "live",
        "How large a step is: too small crawls, too large overshoots.",
        2,
        low=1e-5,
        high=1000,
        log=True,
    ),
    Integer(
        *("batch_size", "batch size", 10, "optimizer", "live", "Points per step."),
        2,
        low=1,
        high=2000,
    ),
    Number(
        *("momentum", "momentum", 0.0, "optimizer", "live", "How much of the last step goes on."),
        when=MOMENTUM,
        high=0.99,
    ),
    Field(
        *("nesterov", "Nesterov", False, "optimizer", "live", "Look ahead along the momentum."),
        when={"optimizer": ("sgd",)},
    ),
    Number(
        *("rho", "rho", 0.9, "optimizer", "live", "Memory of the mean squared gradient."),
        when={"optimizer": ("rmsprop",)},
        high=0.999,
        step=0.001,
    ),
    Field(
        *("centered", "centered", False, "optimizer", "live", "Divide by the standard deviation."),
        when={"optimizer": ("rmsprop",)},
    ),
    Number(
        *("beta_1", "beta 1", 0.9, "optimizer", "live", "Memory of the mean gradient."),
        when={"optimizer": ("adam", "adamw")},
        high=0.999,
        step=0.001,
    ),
    Number(
        *("beta_2", "beta 2", 0.999, "optimizer", "live", "Memory of the mean squared gradient."),
        when={"optimizer": ("adam", "adamw")},
        high=0.9999,
        step=0.0001,
    ),
    Choice(
        "clip",
        "clip gradients",
        "none",
        "optimizer",
        "live",
        "Bound gradients: each value, each layer's norm, or the norm of all. Helps against "
        "explosion, not against vanishing.",
        10,
        choices=("none", "value", "norm", "global_norm"),
    ),
    Number(
        *("clip_at", "clip at", 1.0, "optimizer", "live", "The bound."),
        when={"clip": ("value", "norm", "global_norm")},
        low=1e-3,
        high=100,
        log=True,
    ),
    Number(
        "l1",
        "L1",
        0.0,
        "penalty",
        "live",
        "Penalty on absolute weights: drives useless ones to exactly zero.",
        high=1,
        low=0,
        log=True,
        step=1e-6,
    ),
    Number(
        "l2",
        "L2",
        0.0,
        "penalty",
        "live",
        "Penalty on squared weights: keeps all of them small.",
        high=1,
        log=True,
        step=1e-6,
    ),
    Number(
        "weight_decay",
        "weight decay",
        0.0,
        "penalty",
        "live",
        "Shrinks the weights at each step, apart from the gradient.",
        when={"optimizer": ("sgd", "adagrad", "rmsprop", "adam", "adamw")},
        high=1,
        log=True,
        step=1e-6,
    ),
    Number(
        "dropout",
        "dropout",
        0.0,
        "penalty",
        "live",
        "Share of each hidden layer's units that are left out at random in a step.",
        10,
        high=0.9,
        step=0.05,
    ),
    Number(
        *("input_noise", "input noise", 0.0, "penalty", "live", "Chance added to the inputs."),
        high=2,
        step=0.05,
    ),
    Number(
        "activity_l1",
        "activity L1",
        0.0,
        "penalty",
        "live",
        "Penalty on what hidden units put out: most stay silent.",
        high=1,
        log=True,
        step=1e-6,
    ),
    Number(
        "activity_l2",
        "activity L2",
        0.0,
        "penalty",
        "live",
        "Penalty on the squares of what hidden units put out.",
        high=1,
        log=True,
        step=1e-6,
    ),
    Integer(
        "speed",
        "steps a second",
        0,
        "run",
        "run",
        "Slows training down to look at; 0 is as fast as it goes.",
        high=100000,
    ),
    Integer(
        *("budget", "step budget", 0, "run", "run", "Stop after so many steps; 0 is never."),
        high=10**9,
    ),
    Integer(
        "patience",
        "patience",
        0,
        "run",
        "run",
        "Stop when the validation loss has not improved for so many epochs; 0 is never.",
        high=10000,
    ),
)
BY_NAME = {entry.name: entry for entry in FIELDS}
DEFAULTS: Settings = {entry.name: entry.checked(entry.default) for entry in FIELDS}
RUN = tuple(entry.name for entry in FIELDS if entry.effect == "run")
_EFFECTS = ("run", "live", "net", "data")


def changed(settings: Mapping[str, Any], changes: object) -> Settings:
    """Return the settings with some of them changed, each checked.

    Raises
    ------
    ValueError, TypeError
        With the name of the setting in front, before anything changes.
    """
    if not isinstance(changes, Mapping):
        raise check.wrong_type("settings", "an object of names and values", changes)
    found = dict(settings)
    for name, value in changes.items():
        check.choice("setting", name, BY_NAME)
        found[name] = BY_NAME[name].checked(value)
    words, depth = found["activations"], len(found["layers"])
    last = words[-1] if words else "relu"
    found["activations"] = [*words, *[last] * depth][:depth]
    return found


def effect(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the largest effect of what differs: data, net, live, run, or none."""
    effects = {entry.effect for name, entry in BY_NAME.items() if before[name] != after[name]}
    return max(effects, key=_EFFECTS.index, default="none")


def counts(entry: Field, settings: Mapping[str, Any]) -> bool:
    """Tell whether a setting plays a part beside these."""
    return all(settings[name] in values for name, values in entry.when.items())


def to_link(settings: Mapping[str, Any]) -> str:
    """Return the settings that differ from their defaults, as the part of a link after '#'."""
    parts = [
        f"{name}={quote(entry.written(settings[name]), safe=',*^()')}"
        for name, entry in BY_NAME.items()
        if settings[name] != DEFAULTS[name]
    ]
    return "&".join(parts)


def from_link(link: str) -> Settings:
    """Return the settings that a link holds, the others at their defaults."""
    changes = {}
    for part in filter(None, link.lstrip("#").split("&")):
        name, _, text = part.partition("=")
        check.choice("setting", name, BY_NAME)
        changes[name] = BY_NAME[name].read(unquote(text))
    return changed(DEFAULTS, changes)


def as_json() -> str:
    """Return what the page makes its form of."""
    return json.dumps([entry.described() for entry in FIELDS])
