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
    fades: Callable[[Settings], dict[str, float]] = lambda settings: {}
    """What a step without gradient multiplies each slot by, where that is not 1."""


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
    if settings["rowwise"] and a.shape != w.shape:
        a += np.square(g).mean(axis=1)
        a = a[:, None]
    else:
        a += g * g
    h = np.sqrt(a) + settings["epsilon"]
    w -= rate * g / h
    return rate / h


def ftrl(w: Array, g: Array, slots: Slots, rate: float, t: int, settings: Settings) -> Array:
    """Follow the regularised leader, coordinate by coordinate (McMahan et al., 2013).

    Where there is no gradient, or no step, nothing changes.
    """
    n, z, power = slots["accumulator"], slots["linear"], -settings["learning_rate_power"]
    moves = (g != 0) & (rate != 0)
    after = (n + g * g) ** power
    with np.errstate(divide="ignore", invalid="ignore"):
        added = g - (after - n**power) / rate * w
    z += np.where(moves, added, 0)
    n += np.where(moves, g * g, 0)
    size = rate / (after + settings["beta"] + 2 * settings["l2"] * rate)
    rest = np.maximum(np.abs(z) - settings["l1"], 0)
    w[...] = np.where(moves, -np.sign(z) * rest * size, w)
    return np.where(moves, size, 0)


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
    lambda settings: {"momentum": settings["beta_1"], "velocity": settings["beta_2"]},
)

OPTIMIZERS = {
    "sgd": Optimizer(
        lambda settings: {"momentum": 0.0} if settings["momentum"] else {},
        sgd,
        {"momentum": 0.0, "nesterov": 0},
        lambda settings: {"momentum": settings["momentum"]},
    ),
    "adagrad": Optimizer(
        lambda settings: {"accumulator": settings["initial_accumulator_value"]},
        adagrad,
        {"epsilon": 1e-7, "initial_accumulator_value": 0.0, "rowwise": 0},
    ),
    "ftrl": Optimizer(
        lambda settings: {
            "accumulator": settings["initial_accumulator_value"],
            "linear": 0.0,
        },
        ftrl,
        {
            "learning_rate_power": -0.5,
            "initial_accumulator_value": 0.0,
            "l1": 0.0,
            "l2": 0.0,
            "beta": 0.0,
        },
    ),
    "rmsprop": Optimizer(
        _rmsprop_slots,
        rmsprop,
        {"rho": 0.9, "momentum": 0.0, "centered": 0, "epsilon": 1e-7},
        lambda settings: {
            "velocity": settings["rho"],
            "momentum": settings["momentum"],
            "average": settings["rho"],
        },
    ),
    "adam": _ADAM,
    "adamw": _ADAM,
}

COMMON_SETTINGS = {"weight_decay": 0.0, **dict.fromkeys(CLIPS, 0.0)}


def check_settings(kind: str, settings: Settings) -> None:
    """Refuse settings that do not go together."""
    if kind == "ftrl" and settings["weight_decay"]:
        raise ValueError(
            "weight_decay: expected none for ftrl, whose weights follow from its sums, got "
            f"{settings['weight_decay']}; use l2"
        )


def new_slots(optimizer: Optimizer, settings: Settings, w: Array, table: bool) -> dict[str, Array]:
    """Return the slots of a parameter as they start: arrays like it, or one number a row."""
    rowwise = table and settings.get("rowwise")
    shape = w.shape[:1] if rowwise else w.shape
    first = optimizer.slots(settings)
    with np.errstate(over="ignore"):
        return {name: np.full_like(w, value, shape=shape) for name, value in first.items()}


def no_exact_form(kind: str, settings: Settings, l1: float, l2: float) -> str:
    """Say why rows that missed steps cannot catch up on them; "" if they can."""
    momentum = kind in {"adam", "adamw"} or bool(settings.get("momentum"))
    if l2 and (kind != "sgd" or momentum):
        return "an L2 regularizer and any optimizer but SGD without momentum; use weight_decay"
    if l2 and (settings["clipnorm"] or settings["global_clipnorm"]):
        return "an L2 regularizer and clipping by a norm; use weight_decay or clipvalue"
    if l1 and momentum:
        return "an L1 regularizer and momentum; use Adagrad, FTRL or SGD without momentum"
    if l1 and kind == "rmsprop":
        return "an L1 regularizer and RMSprop; use Adagrad, FTRL or SGD without momentum"
    return ""


def catch_up(
    optimizer: Optimizer,
    settings: Settings,
    w: Array,
    slots: Slots,
    rates: Sequence[float] | Array,
    t: int,
    penalties: tuple[float, float],
    most: int,
) -> None:
    """Bring rows through steps without gradients, the first of them step t, in place.

    ``most`` of them are replayed. The rest are taken together, which is right once momentum moves
    nothing any more: every slot fades by its own factor, weights decay by the product of the
    factors, and L1, which has neither beside it, takes as much as a step of the sum of the rates.
    """
    l1, l2 = penalties
    for i, rate in enumerate(rates[:most]):
        g = add_l2(np.zeros_like(w), w, l2)
        clip([g], settings)
        update(optimizer, settings, w, g, slots, rate, t + i, l1)
    rest = rates[most:]
    if not len(rest):
        return
    if l1:
        no_decay = {**settings, "weight_decay": 0.0}
        update(optimizer, no_decay, w, np.zeros_like(w), slots, sum(rest), t + most, l1)
        return
    w *= math.prod(1 - rate * (settings["weight_decay"] + 2 * l2) for rate in rest)
    for name, factor in optimizer.fades(settings).items():
        if name in slots:
            slots[name][...] *= factor ** len(rest)


def round_by_chance(x: Array, words: Array) -> Array:
    """Round float32 to one of the two bfloat16 around it, up with the probability of the rest.

    The upper half of a word is added below the bits that stay; NaN stays NaN.
    """
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + (words.astype(np.uint32) >> np.uint32(16))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, rounded.view(np.float32))


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
