"""Models as a description that JSON can hold and named arrays, and back; `files` writes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check, files
from fastnn.goal import Goal
from fastnn.graph import InputLayer, Layer, Value
from fastnn.network import Network, Setup
from fastnn.training import Progress

__all__ = ["describe", "load", "rebuild", "restore"]

if TYPE_CHECKING:
    from fastnn.model import Model

Array = NDArray[Any]

# What reading a description that `describe` did not write may end in, beside ValueError.
_DAMAGE = (
    *(KeyError, TypeError, AttributeError, IndexError),
    *(OverflowError, MemoryError, RecursionError),
)
# Settings that older files do not have.
_LATER = ("convolution", "precision")
Content = tuple[dict[str, Any], dict[str, Array]]


def describe(model: Model) -> Content:
    """Return all that a model is: settings, weights, and where its training stands."""
    description: dict[str, Any] = {
        "class": model.kind,
        "name": model.name,
        **asdict(model.setup),
        "graph": model.to_config(),
        "goal": None if model.goal is None else model.goal.to_config(),
        "progress": asdict(model.progress),
    }
    arrays: dict[str, Array] = {}
    if model.built:
        for (name, _), weights in zip(model.parameters(), model.get_weights(), strict=True):
            arrays[f"weights/{name}"] = weights
        if model.goal is not None:
            state = model.network.engine.state()
            arrays.update({f"state/{name}": np.asarray(slot) for name, slot in state.items()})
    return description, arrays


def load(path: str | os.PathLike[str], *, backend: str | None = None) -> Model:
    """Return the model that `Model.save` wrote.

    Parameters
    ----------
    path : str or path
        The file. Loading runs no code from it; a damaged file raises ValueError.
    backend : {"core", "numpy"}, optional
        Another engine than the one the model was saved with.
    """
    return rebuild(*files.read(path), backend)


def rebuild(
    description: Mapping[str, Any], arrays: Mapping[str, Array], backend: str | None = None
) -> Model:
    """Return a new model of what `describe` wrote."""
    from fastnn.model import Model
    from fastnn.sequential import Sequential

    kinds: dict[str, type[Model]] = {"Model": Model, "Sequential": Sequential}
    kind = kinds[check.choice("class", str(description.get("class")), kinds)]
    model = kind.__new__(kind)
    restore(model, description, arrays, backend)
    return model


def restore(
    model: Model,
    description: Mapping[str, Any],
    arrays: Mapping[str, Array],
    backend: str | None = None,
) -> None:
    """Make `model`, which nothing has touched yet, what `describe` wrote."""
    try:
        settings = {key: description[key] for key in ("backend", "dtype", "seed")}
        settings |= {key: description[key] for key in _LATER if key in description}
        settings["backend"] = backend or settings["backend"]
        model.configure(description["name"], Setup(**settings))
        model.from_config(description["graph"], _part(arrays, "weights/"))
        if description["goal"] is not None:
            model.set_goal(Goal.from_config(description["goal"]))
            if model.built:
                _set_state(model.network.engine, _part(arrays, "state/"))
        model.progress = _progress(description["progress"])
    except _DAMAGE as error:
        got = f"a damaged one ({type(error).__name__}: {error})"
        raise check.wrong_value("description", "that of a model", got) from None


def graph_config(network: Network) -> dict[str, Any]:
    """Return a graph as layers, calls of layers on earlier calls, and the ends."""
    values = list(network.values.values())
    layers: dict[int, Layer] = {id(value.layer): value.layer for value in values}
    place = {key: i for i, key in enumerate(layers)}
    at = {value: i for i, value in enumerate(values)}
    return {
        "layers": [_without_file(layer.to_config()) for layer in layers.values()],
        "calls": [[place[id(v.layer)], [at[source] for source in v.inputs]] for v in values],
        "inputs": [at[value] for value in network.inputs],
        "outputs": [at[value] for value in network.outputs],
    }


def graph_from_config(config: Mapping[str, Any]) -> tuple[list[Value], list[Value]]:
    """Return the inputs and the outputs of what `graph_config` wrote."""
    layers = [Layer.from_config(_without_file(item)) for item in config["layers"]]
    values: list[Value] = []
    for place, sources in config["calls"]:
        layer = layers[check.integer("calls", place, 0, len(layers) - 1)]
        last = len(values) - 1
        inputs = [values[check.integer("calls", source, 0, last)] for source in sources]
        values.append(Value(layer) if isinstance(layer, InputLayer) else layer(inputs))
    last = len(values) - 1
    inputs, outputs = (
        [values[check.integer(end, position, 0, last)] for position in config[end]]
        for end in ("inputs", "outputs")
    )
    return inputs, outputs


def _without_file(config: Any) -> Any:
    """Return a layer's settings without the file of its table, which is another model's."""
    return {**config, "file": None} if isinstance(config, Mapping) and "file" in config else config


def _set_state(engine: Any, state: Mapping[str, Array]) -> None:
    own = engine.state()
    if set(own) != set(state):
        odd = ", ".join(sorted(set(own) ^ set(state)))
        raise check.wrong_value("description", "the optimizer's slots", f"a difference in {odd}")
    for name, slot in own.items():
        if np.shape(slot) != state[name].shape:
            raise check.wrong_value(name, f"shape {np.shape(slot)}", state[name].shape)
    engine.set_state({**state, "step": int(state["step"])})


def _progress(config: Mapping[str, Any]) -> Progress:
    return Progress(**{name: check.integer(name, value) for name, value in config.items()})


def _part(arrays: Mapping[str, Array], start: str) -> dict[str, Array]:
    return {n.removeprefix(start): array for n, array in arrays.items() if n.startswith(start)}
