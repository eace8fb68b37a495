"""Neural networks, recommenders and autoencoders, trained fast on a CPU."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Public names by the module that holds them; "" marks modules. Each is imported when first used.
_HOMES = {
    "": (
        "callbacks",
        "datasets",
        "functional",
        "initializers",
        "layers",
        "losses",
        "optimizers",
        "regularizers",
        "schedules",
    ),
    "graph": ("Input",),
    "model": ("Model",),
    "sequential": ("Sequential",),
    "saving": ("load",),
    "estimators": ("Autoencoder", "MLPClassifier", "MLPRegressor", "RatingRecommender"),
    "threads": ("get_num_threads", "set_num_threads"),
    "config": ("show_config",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
    home = _HOME[name]
    module = importlib.import_module(f"fastnn.{home or name}")
    found = getattr(module, name) if home else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
