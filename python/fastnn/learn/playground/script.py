"""An experiment as a Python script of the public API, which prints the same losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastnn import __version__, layers
from fastnn.learn.playground import network
from fastnn.learn.playground.experiment import Experiment, repeated
from fastnn.learn.playground.points import LOADERS
from fastnn.learn.playground.schema import RUN, Settings
from fastnn.learn.playground.settings import SYNTHETIC

FEATURES = {
    "x1": "x[:, 0]",
    "x2": "x[:, 1]",
    "x1^2": "x[:, 0] ** 2",
    "x2^2": "x[:, 1] ** 2",
    "x1*x2": "x[:, 0] * x[:, 1]",
    "sin(x1)": "np.sin(x[:, 0])",
    "sin(x2)": "np.sin(x[:, 1])",
}
PENALTIES = {"kernel_regularizer": "penalty", "activity_regularizer": "activity_penalty"}


def written(experiment: Experiment) -> str:
    """Return the script: data, network, and every part of the run up to the step of now."""
    body = [
        *_data(experiment),
        *_targets(experiment),
        *_training(experiment),
        "",
        f'print("training loss", model.evaluate(x_train, {_rows(experiment, "y_train")})["loss"])',
        f'print("validation loss", model.evaluate(x_val, {_rows(experiment, "y_val")})["loss"])',
    ]
    names = ("datasets", "layers", "losses", "optimizers", "regularizers")
    used = [name for name in names if any(f"{name}." in line for line in body)]
    head = [
        f'"""A network of the fastnn playground (fastnn {__version__}): prints its losses."""',
        "",
        "import numpy as np",
        *_loader_import(experiment.settings["data"]),
        "",
        f"from fastnn import {', '.join(['Sequential', *used])}",
    ]
    return "\n".join([*head, *body, ""])


def _data(experiment: Experiment) -> Iterator[str]:
    """Yield the lines that make x_train, x_val, and y, shuffled."""
    settings, points = experiment.settings, experiment.points
    yield from ("", f"# Data: {len(points.plane)} rows, the first {points.n_train} to learn from.")
    yield from _source(experiment)
    yield f"order = np.random.default_rng({settings['seed']}).permutation(len(x))"
    yield f"x, y, n = x[order], y[order], {points.n_train}"
    if settings["data"] not in (*SYNTHETIC, "drawn"):
        yield from _axes(settings, len(points.columns))
    if points.features != ("x1", "x2"):
        yield f"x = np.column_stack([{', '.join(FEATURES[name] for name in points.features)}])"
    if settings["scaling"]:
        yield "spread = x[:n].std(axis=0)"
        yield "x = (x - x[:n].mean(axis=0)) / np.where(spread > 0, spread, 1.0)"


def _source(experiment: Experiment) -> Iterator[str]:
    """Yield the lines that make x and y before they are shuffled."""
    settings = experiment.settings
    name = settings["data"]
    if name in SYNTHETIC:
        arguments = f"{settings['points']}, noise={settings['noise']!r}, seed={settings['seed']}"
        yield f'x, y = datasets.make_points("{name}", {arguments})'
    elif name == "drawn":
        yield "drawn = np.array(["
        yield from (f"    [{a!r}, {b!r}, {c!r}]," for a, b, c in experiment.drawing)
        yield "])"
        yield "x, y = drawn[:, :2], np.unique(drawn[:, 2], return_inverse=True)[1]"
    elif name == "csv":
        target = experiment.table_target
        named = f", target={target!r}" if target else ""
        yield f"table = datasets.read_csv({experiment.table_name!r}{named})"
        yield "x, y = table.X, table.y"
    else:
        yield f"x, y = {LOADERS[name]}(return_X_y=True)"


def _loader_import(data: str) -> list[str]:
    return [f"from sklearn.datasets import {LOADERS[data]}"] if data in LOADERS else []


def _axes(settings: Settings, columns: int) -> Iterator[str]:
    """Yield the lines that choose two numbers of a row."""
    if columns == 1:
        yield "x = np.column_stack([x[:, 0], np.zeros(len(x))])"
    elif settings["axes"] == "columns":
        yield f"x = x[:, [{settings['column_1']}, {settings['column_2']}]]"
    else:
        yield "spread = x[:n].std(axis=0)"
        yield "x = (x - x[:n].mean(axis=0)) / np.where(spread > 0, spread, 1.0)"
        yield "x = x @ np.linalg.svd(x[:n], full_matrices=False)[2][:2].T  # two main directions"


def _targets(experiment: Experiment) -> Iterator[str]:
    """Yield the lines that give the targets their form, and split."""
    task, classes = experiment.settings["task"], experiment.source.classes
    if task == "binary":
        yield "y = (y > 0).astype(int)" if classes else "y = (y > np.median(y[:n])).astype(int)"
    elif task == "multiclass" and not classes:
        yield "y = np.digitize(y, np.quantile(y[:n], [1 / 3, 2 / 3]))"
    yield "x_train, y_train, x_val, y_val = x[:n], y[:n], x[n:], y[n:]"


def _rows(experiment: Experiment, name: str, settings: Settings | None = None) -> str:
    """Return the expression of targets in the form that the loss wants."""
    if network.one_hot(settings or experiment.settings):
        units = network.output("multiclass", len(experiment.points.classes))[0]
        return f"np.eye({units})[{name}]"
    return name


def _training(experiment: Experiment) -> Iterator[str]:
    """Yield the network and its training, part by part."""
    before: Settings | None = None
    for settings, steps in repeated(experiment):
        if before is None:
            yield from ("", "# The network, and how it is trained.")
            yield from _model(settings, experiment)
        elif _network(before) != _network(settings):
            yield from ("", "# Other settings from here on, with the weights reached so far.")
            yield "previous = model"
            yield from _model(settings, experiment)
            yield "model.take_over(previous)"
        elif before["learning_rate"] != settings["learning_rate"]:
            yield f"model.learning_rate = {settings['learning_rate']!r}"
        if steps:
            size = settings["batch_size"]
            y = _rows(experiment, "y_train", settings)
            yield f"model.train_steps({steps}, x_train, {y}, batch_size={size})"
        before = settings


def _network(settings: Settings) -> dict[str, Any]:
    """Return the settings that need another model when they change."""
    apart = {"learning_rate", "batch_size", *RUN}
    return {name: value for name, value in settings.items() if name not in apart}


def _model(settings: Settings, experiment: Experiment) -> Iterator[str]:
    """Yield the lines that make the model of settings."""
    points = experiment.points
    stack = network.stack(settings, len(points.classes))
    yield from _penalties(stack)
    yield "model = Sequential("
    yield "    ["
    yield from (f"        {_call(layer)}," for layer in stack)
    yield "    ],"
    yield f"    input_shape={len(points.features)},"
    yield f"    seed={settings['seed']},"
    yield ")"
    arguments = _arguments(network.optimizer_arguments(settings))
    optimizer = f"optimizers.{network.OPTIMIZERS[settings['optimizer']].__name__}({arguments})"
    yield f"model.compile({optimizer}, losses.{type(network.loss(settings)).__name__}())"
    if settings["initial_scale"] != 1:
        scale = settings["initial_scale"]
        yield f"model.set_weights([{scale!r} * weight for weight in model.get_weights()])"


def _penalties(stack: Sequence[layers.Layer]) -> Iterator[str]:
    """Yield the lines that name the penalties of the layers."""
    for name in PENALTIES:
        found = {getattr(layer, name, None) for layer in stack} - {None}
        yield from (f"{PENALTIES[name]} = regularizers.{penalty!r}" for penalty in found)


def _call(layer: layers.Layer) -> str:
    """Return the expression that makes a layer."""
    name = type(layer).__name__
    if isinstance(layer, layers.Dropout):
        return f"layers.{name}({layer.rate!r})"
    if isinstance(layer, layers.GaussianNoise):
        return f"layers.{name}({layer.stddev!r})"
    assert isinstance(layer, layers.Dense)
    activation = f'"{layer.activation}"' if layer.activation else "None"
    parts = [f"{layer.units}, {activation}", f'kernel_initializer="{layer.kernel_initializer}"']
    parts += [f"{key}={word}" for key, word in PENALTIES.items() if getattr(layer, key)]
    return f"layers.{name}({', '.join(parts)})"


def _arguments(named: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in named.items())
