"""Neural networks, recommenders and autoencoders, trained fast on a CPU."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastnn import (
        callbacks,
        datasets,
        functional,
        initializers,
        layers,
        losses,
        metrics,
        neighbors,
        optimizers,
        plots,
        regularizers,
        schedules,
        splits,
    )
    from fastnn.config import show_config
    from fastnn.diagnosis import diagnose
    from fastnn.estimators import (
        Autoencoder,
        ConvClassifier,
        ConvRegressor,
        MLPClassifier,
        MLPRegressor,
        RankingRecommender,
        RatingRecommender,
    )
    from fastnn.graph import Input
    from fastnn.model import Model
    from fastnn.saving import load
    from fastnn.sequential import Sequential
    from fastnn.threads import get_num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "Autoencoder",
    "ConvClassifier",
    "ConvRegressor",
    "Input",
    "MLPClassifier",
    "MLPRegressor",
    "Model",
    "RankingRecommender",
    "RatingRecommender",
    "Sequential",
    "__version__",
    "callbacks",
    "datasets",
    "diagnose",
    "functional",
    "get_num_threads",
    "initializers",
    "layers",
    "load",
    "losses",
    "metrics",
    "neighbors",
    "optimizers",
    "plots",
    "regularizers",
    "schedules",
    "set_num_threads",
    "show_config",
    "splits",
]

# Homes of the public names, imported when a name is first used; the imports above tell type
# checkers and editors of them. The other names are modules.
_HOMES = {
    "Autoencoder": "estimators",
    "ConvClassifier": "estimators",
    "ConvRegressor": "estimators",
    "Input": "graph",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "Model": "model",
    "RankingRecommender": "estimators",
    "RatingRecommender": "estimators",
    "Sequential": "sequential",
    "diagnose": "diagnosis",
    "get_num_threads": "threads",
    "load": "saving",
    "set_num_threads": "threads",
    "show_config": "config",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
    module = importlib.import_module(f"fastnn.{_HOMES.get(name, name)}")
    found = getattr(module, name) if name in _HOMES else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
