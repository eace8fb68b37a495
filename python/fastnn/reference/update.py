"""Optimizers: how a gradient changes a parameter.

Every rule works in place on arrays of one shape, so the touched rows of a table are updated by
the same functions as a whole parameter. Formulas: docs/design.md, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .layer import Gradient, RowGradient

Array = NDArray[Any]
Slots = Mapping[str, Array]
Settings = Mapping[str, float]

CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")


class Optimizer(NamedTuple):
    """The slots a rule keeps beside a parameter, with their first values; the rule; its settings.

    ``rule(w, g, slots, rate, t, settings)`` changes ``w`` and the slots, and returns the step
    size of each coordinate, which proximal L1 needs.
    """

    slots: Callable[[Settings], dict[str, float]]
    rule: Callable[[Array, Array, Slots, float, int, Settings], Array | float]
    settings: Settings


def sgd(w: Array, g: Array, slots: Slots, rate: float, t: int, settings: Settings) -> float:
    """Gradient descent, with momentum b = momentum b + g if asked for."""
    momentum = settings["momentum"]
    if momentum:
        b = slots["momentum"]
        b *= momentum
        b += g
        g = g + momentum * b if settings["nesterov"] else b
    w -= rate * g
    return rate


def adagrad(w: Array, g: Array, slots: Slots, rate: float, t: int, settings: Settings) -> Array:
    """Divide by the root of the sum of all squared gradients (Duchi et al., 2011)."""
    a = slots["accumulator"]
    a += g * g
    h = np.sqrt(a) + settings["epsilon"]
    w -= rate * g / h
    return rate / h


def rmsprop(w: Array, g: Array, slots: Slots, rate: float, t: int, settings: Settings) -> Array:
    """Divide by the root of a running mean of squared gradients (Tieleman and Hinton, 2012)."""
    rho, momentum = settings["rho"], settings["momentum"]
    v = slots["velocity"]
    v *= rho
    v += (1 - rho) * g * g
    variance = v
    if settings["centered"]:
        average = slots["average"]
        average *= rho
        average += (1 - rho) * g
        variance = np.maximum(v - average * average, 0)  # rounding may take it below zero
    h = np.sqrt(variance) + settings["epsilon"]
    b = g / h
    if momentum:
        slots["momentum"][...] = b = momentum * slots["momentum"] + b
    w -= rate * b
    return rate / h


def adam(w: Array, g: Array, slots: Slots, rate: float, t: int, settings: Settings) -> Array:
    """Follow means of g and g^2, corrected for their start at zero (Kingma and Ba, 2015)."""
    beta_1, beta_2 = settings["beta_1"], settings["beta_2"]
    m, v = slots["momentum"], slots["velocity"]
    m *= beta_1
    m += (1 - beta_1) * g
    v *= beta_2
    v += (1 - beta_2) * g * g
    h = np.sqrt(v / (1 - beta_2**t)) + settings["epsilon"]
    w -= rate * (m / (1 - beta_1**t)) / h
    return rate / h


def _rmsprop_slots(settings: Settings) -> dict[str, float]:
    used = {
        "velocity": True,
        "momentum": settings["momentum"],
        "average": settings["centered"],
    }
    return {name: 0.0 for name, needed in used.items() if needed}


_ADAM = Optimizer(
    lambda settings: {"momentum": 0.0, "velocity": 0.0},
    adam,
    {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
)

OPTIMIZERS = {
    "sgd": Optimizer(
        lambda settings: {"momentum": 0.0} if settings["momentum"] else {},
        sgd,
        {"momentum": 0.0, "nesterov": 0},
    ),
    "adagrad": Optimizer(
        lambda settings: {"accumulator": settings["initial_accumulator_value"]},
        adagrad,
        {"epsilon": 1e-7, "initial_accumulator_value": 0.0},
    ),
    "rmsprop": Optimizer(
        _rmsprop_slots, rmsprop, {"rho": 0.9, "momentum": 0.0, "centered": 0, "epsilon": 1e-7}
    ),
    "adam": _ADAM,
    "adamw": _ADAM,
}

COMMON_SETTINGS = {"weight_decay": 0.0, **dict.fromkeys(CLIPS, 0.0)}


def proximal_l1(w: Array, threshold: Array | float) -> None:
    """Move every element towards zero by its threshold, and stop there: w = prox of l1 |w|."""
    w[...] = np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


def update(
    optimizer: Optimizer,
    settings: Settings,
    w: Array,
    gradient: Gradient,
    slots: Slots,
    rate: float,
    t: int,
    l1: float = 0.0,
) -> None:
    """Apply one step to a parameter and its slots, in place; a RowGradient changes its rows only.

    Decoupled weight decay comes first, then the rule, then proximal L1.
    """
    if isinstance(gradient, RowGradient):
        rows = gradient.rows
        part, part_slots = w[rows], {name: slot[rows] for name, slot in slots.items()}
        update(optimizer, settings, part, gradient.values, part_slots, rate, t, l1)
        w[rows] = part
        for name, slot in slots.items():
            slot[rows] = part_slots[name]
        return
    if settings["weight_decay"]:
        w -= rate * settings["weight_decay"] * w
    step_size = optimizer.rule(w, gradient, slots, rate, t, settings)
    if l1:
        proximal_l1(w, step_size * l1)


def add_l2(gradient: Gradient, w: Array, l2: float) -> Gradient:
    """Gradient with that of l2 sum w^2 added, on touched rows if it has only those.

    The values are always a fresh array, as clipping works in place.
    """
    if isinstance(gradient, RowGradient):
        return RowGradient(gradient.rows, gradient.values + 2 * l2 * w[gradient.rows])
    return gradient + 2 * l2 * w


def _values(gradient: Gradient) -> Array:
    return gradient.values if isinstance(gradient, RowGradient) else gradient


def _norm(gradients: Sequence[Array]) -> float:
    return math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in gradients))


def _shrink(gradients: Sequence[Array], limit: float) -> None:
    """Scale all arrays, in place, so that their common norm is at most ``limit``."""
    norm = _norm(gradients)
    if norm > limit:
        for g in gradients:
            g *= limit / norm


def clip(gradients: Sequence[Gradient], settings: Settings) -> None:
    """Clip gradients in place: each value, each parameter's norm, or the norm of all together."""
    arrays = [_values(g) for g in gradients]
    if limit := settings["clipvalue"]:
        for g in arrays:
            np.clip(g, -limit, limit, out=g)
    if limit := settings["clipnorm"]:
        for g in arrays:
            _shrink([g], limit)
    if limit := settings["global_clipnorm"]:
        _shrink(arrays, limit)
