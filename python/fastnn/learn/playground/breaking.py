"""Break it on purpose: settings that fail, and settings that mend what `diagnose` finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastnn.learn.playground import schema
from fastnn.learn.playground.schema import Settings


@dataclass(frozen=True)
class Preset:
    """Settings that show something; those left out have their defaults."""

    name: str
    title: str
    help: str
    settings: Mapping[str, Any]

    def whole(self) -> Settings:
        """Return all settings."""
        return schema.changed(schema.DEFAULTS, self.settings)


DEEP = {"layers": [8] * 8, "data": "circles", "batch_size": 10}

PRESETS = (
    Preset(
        "explode",
        "Explode",
        "Eight layers whose initial weights are three times too large: each layer triples what "
        "passes, forwards and backwards.",
        {
            **DEEP,
            "activations": ["leaky_relu"] * 8,
            "initial_scale": 3.0,
            "optimizer": "sgd",
            "learning_rate": 0.01,
        },
    ),
    Preset(
        "vanish",
        "Vanish",
        "Eight sigmoid layers: a sigmoid's slope is at most 1/4, so little gradient comes back to "
        "the first layer.",
        {
            **DEEP,
            "activations": ["sigmoid"] * 8,
            "initializer": "glorot_uniform",
            "optimizer": "sgd",
            "learning_rate": 0.1,
        },
    ),
    Preset(
        "dead-relu",
        "Dead ReLU",
        "A learning rate of 100 throws the units so far that they are 0 for every point, and stay "
        "there.",
        {"data": "circles", "optimizer": "sgd", "learning_rate": 100.0},
    ),
    Preset(
        "overfit",
        "Overfit",
        "A large network, few noisy points: it learns each point by heart and fails on the others.",
        {
            "data": "moons",
            "points": 200,
            "noise": 1.0,
            "train_share": 0.2,
            "layers": [64, 64],
            "learning_rate": 0.01,
        },
    ),
    Preset(
        "unscaled",
        "Unscaled inputs",
        "Two raw columns, areas of some hundreds beside smoothnesses of about 0.1: no single "
        "rate suits both.",
        {
            "data": "cancer",
            "axes": "columns",
            "column_1": 3,
            "column_2": 4,
            "scaling": False,
            "optimizer": "sgd",
            "learning_rate": 1e-5,
        },
    ),
    Preset(
        "zeros",
        "All zero",
        "All weights start at zero: every unit of a layer does the same for ever.",
        {"data": "circles", "initializer": "zeros", "activations": ["tanh", "tanh"]},
    ),
)
BY_NAME = {preset.name: preset for preset in PRESETS}

PAST_MENDING = {"diverged", "dead_units"}  # weights thrown that far do not come back


def fix(kind: str, settings: Settings) -> Settings:
    """Return the changes of settings that mend a finding; none where there is no such fix."""
    return FIXES[kind](settings) if kind in FIXES else {}


def _calmer(settings: Settings) -> Settings:
    """Take weights of the usual size, a bound on gradients, and a rate that suits the optimizer."""
    rate = 0.03 if settings["optimizer"] == "sgd" else 0.01
    calm = {"initial_scale": 1.0, "learning_rate": min(settings["learning_rate"], rate)}
    if settings["learning_rate"] < 1e-3:
        calm["learning_rate"] = rate
    return {**calm, "clip": "global_norm", "clip_at": 1.0, "scaling": True}


def _relu(settings: Settings) -> Settings:
    """Take a rate that Adam likes, and activations through which gradients come back."""
    return {
        "activations": ["relu"] * len(settings["layers"]),
        "initializer": "he_normal",
        "optimizer": "adam",
        "learning_rate": 0.003,
    }


def _alive(settings: Settings) -> Settings:
    words = ["leaky_relu" if word == "relu" else word for word in settings["activations"]]
    return {"learning_rate": min(settings["learning_rate"], 0.03), "activations": words}


def _random(settings: Settings) -> Settings:
    relu = "relu" in settings["activations"]
    return {"initializer": "he_normal" if relu else "glorot_uniform"}


def _simpler(settings: Settings) -> Settings:
    return {"train_share": 0.7, "l2": max(settings["l2"], 0.003), "points": 400}


def _slower(settings: Settings) -> Settings:
    return {"learning_rate": settings["learning_rate"] / 10}


def _scaled(settings: Settings) -> Settings:
    return {"scaling": True, "learning_rate": max(settings["learning_rate"], 0.01)}


FIXES: Mapping[str, Callable[[Settings], Settings]] = {
    "diverged": _calmer,
    "exploding_gradients": _calmer,
    "vanishing_gradients": _relu,
    "saturated_units": _relu,
    "dead_units": _alive,
    "symmetric_units": _random,
    "overfitting": _simpler,
    "large_updates": _slower,
    "unscaled_inputs": _scaled,
}
