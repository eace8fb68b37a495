"""What ails a network, from measured numbers: gradients, updates, silent units, inputs, losses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import data
from fastnn.model import Model
from fastnn.network import Network

__all__ = ["Diagnosis", "Finding", "LayerReport", "diagnose"]

Array = NDArray[Any]

# From here on a number is worth a word. Glorot and Bengio (2010) and He et al. (2015) explain the
# first three; the others are rules of thumb.
VANISHING = 1e-3  # gradient per weight of the first layer, as a share of the largest layer's
EXPLODING = 10.0  # norm of all gradients over the norm of all weights
MANY = 0.5  # share of a layer's units that are dead or saturated
LARGE_UPDATE = 0.1  # change of a step over the norm of the weights
UNLIKE = 100.0  # ratio of the largest to the smallest spread of the inputs
FAR = 10.0  # distance of an input's mean from 0, in its standard deviations
GAP = 2.0  # validation loss over training loss
SATURATED = {"sigmoid": (0.02, 0.98), "tanh": (-0.96, 0.96)}
KINDS = (
    "diverged",
    "symmetric_units",
    "unscaled_inputs",
    "exploding_gradients",
    "vanishing_gradients",
    "dead_units",
    "saturated_units",
    "large_updates",
    "overfitting",
)


@dataclass(frozen=True)
class LayerReport:
    """What was measured of one layer.

    Attributes
    ----------
    name : str
    activation : str
        "identity" where there is none.
    units : int
        Size of the last axis of the output.
    gradient_norm, weight_norm : float or None
        Euclidean norms over all weights of the layer; None for a layer without any.
    gradient_rms : float or None
        Root of the mean squared gradient of its weights, to compare layers of different sizes.
    update_ratio : float or None
        Norm of the last step's change over `weight_norm`; about 1e-3 is common.
    dead, saturated : float or None
        Share of units that are 0 for every row (relu), or at an end of their range for 95 % of the
        rows (sigmoid, tanh); None for other activations.
    """

    name: str
    activation: str
    units: int
    gradient_norm: float | None
    gradient_rms: float | None
    weight_norm: float | None
    update_ratio: float | None
    dead: float | None
    saturated: float | None


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, in words.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    layer : str or None
        The layer concerned.
    severity : {"broken", "warning"}
    text, remedy : str
        What was measured and what it means; what helps.
    """

    kind: str
    layer: str | None
    severity: str
    text: str
    remedy: str


class Diagnosis(NamedTuple):
    """What `diagnose` found; ``print`` shows it as a table and sentences."""

    loss: float
    validation_loss: float | None
    layers: tuple[LayerReport, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        lines = [f"{'layer':<16}{'gradient':>10}{'weights':>10}{'update':>10}{'dead':>7}"]
        for layer in self.layers:
            numbers = (layer.gradient_norm, layer.weight_norm, layer.update_ratio)
            cells = ["-" if value is None else f"{value:.2g}" for value in numbers]
            dead = "-" if layer.dead is None else f"{layer.dead:.0%}"
            lines.append(f"{layer.name:<16}" + "".join(f"{c:>10}" for c in cells) + f"{dead:>7}")
        for found in self.findings:
            lines += [f"{found.severity}: {found.text}", f"  {found.remedy}"]
        return "\n".join(lines if self.findings else [*lines, "nothing found"])


def diagnose(
    model: Model,
    x: Any,
    y: Any,
    *,
    validation_data: tuple[Any, Any] | None = None,
    previous: Sequence[Any] | None = None,
) -> Diagnosis:
    """Measure a model on some rows and say what is wrong with it.

    Parameters
    ----------
    model : Model
        Compiled with a loss; it is not changed.
    x, y : array-like
        Rows as in `Model.fit`; some hundreds say enough.
    validation_data : tuple, optional
        (x, y) that training did not see, to notice overfitting.
    previous : list of array, optional
        What `Model.get_weights` returned one step ago, to measure the step.

    Returns
    -------
    Diagnosis
        Named tuple of loss, validation_loss, layers and findings, the likeliest cause first.

    Examples
    --------
    >>> from fastnn import Sequential, layers
    >>> stack = [layers.Dense(8, "relu", kernel_initializer="zeros"), layers.Dense(1)]
    >>> model = Sequential(stack, input_shape=2).compile("sgd", "mse")
    >>> found = diagnose(model, [[0.0, 1.0], [1.0, 0.0]], [[1.0], [-1.0]])
    >>> [finding.kind for finding in found.findings]
    ['symmetric_units']
    """
    loss, gradients = model.gradients(x, y)
    validation = None
    if validation_data is not None:
        validation = model.evaluate(*validation_data)["loss"]
    weights = dict(zip((n for n, _ in model.parameters()), model.get_weights(), strict=True))
    before = (
        None if previous is None else dict(zip(weights, map(np.asarray, previous), strict=True))
    )
    finite = all(np.isfinite(weight).all() for weight in weights.values())
    outputs = _outputs(model, x, weights) if finite else {}
    reports = tuple(_reports(model, outputs, gradients, weights, before))
    found = [
        *_diverged(loss, finite),
        *(_symmetric(model, weights) or _learning(model, reports, gradients, weights)),
        *_inputs(x),
        *_gap(model.evaluate(x, y)["loss"], validation),
    ]
    found.sort(key=lambda finding: KINDS.index(finding.kind))
    return Diagnosis(loss, validation, reports, tuple(found))


def _learning(
    model: Model,
    reports: Sequence[LayerReport],
    gradients: dict[str, Array],
    weights: dict[str, Array],
) -> list[Finding]:
    """Find what keeps units that differ from learning."""
    outputs = {name for name, value in model.network.values.items() if value in model.outputs}
    hidden = [layer for layer in reports if layer.name not in outputs]
    return [*_gradients(reports, gradients, weights), *_silent(hidden), *_updates(reports)]


def _reports(
    model: Model,
    outputs: dict[str, Array],
    gradients: dict[str, Array],
    weights: dict[str, Array],
    before: dict[str, Array] | None,
) -> Iterator[LayerReport]:
    """Measure every layer that has weights or an activation."""
    for name, word in _activations(model).items():
        own = [key for key in gradients if key.rpartition("/")[0] == name]
        if not own and name not in outputs:
            continue
        gradient = _norm([gradients[key] for key in own]) if own else None
        size = math.sqrt(sum(gradients[key].size for key in own))
        weight = _norm([weights[key] for key in own]) if own else None
        ratio = None
        if before is not None and weight:
            ratio = _norm([weights[key] - before[key] for key in own]) / weight
        dead, saturated = _silence(word, outputs.get(name))
        rms = None if gradient is None else gradient / size
        units = (outputs[name] if name in outputs else weights[own[0]]).shape[-1]
        shown = word or "identity"
        yield LayerReport(name, shown, units, gradient, rms, weight, ratio, dead, saturated)


def _activations(model: Model) -> dict[str, str | None]:
    """Return the activation of every value that a layer made, by name."""
    values = {name: value for name, value in model.network.values.items() if value.inputs}
    return {name: getattr(value.layer, "activation", None) for name, value in values.items()}


def _outputs(model: Model, x: Any, weights: dict[str, Array]) -> dict[str, Array]:
    """Return what the layers say whose units can fall silent, by name."""
    words = _activations(model)
    watched = [name for name, word in words.items() if word == "relu" or word in SATURATED]
    if not watched:
        return {}
    inside = [model.network.values[name] for name in watched]
    every = [*inside, *(value for value in model.outputs if value not in inside)]
    inner = Network(model.inputs, every, model.setup, weights)
    rows = data.convert_inputs("x", x, inner.input_specs, model.dtype)
    return dict(zip(watched, inner.engine.predict(rows, 1024, 1), strict=False))


def _silence(activation: str | None, output: Array | None) -> tuple[float | None, float | None]:
    """Return the shares of units that are dead and saturated."""
    if output is None:
        return None, None
    rows = output.reshape(-1, output.shape[-1])
    if activation == "relu":
        return float((rows == 0).all(axis=0).mean()), None
    low, high = SATURATED[str(activation)]
    at_an_end = ((rows < low) | (rows > high)).mean(axis=0) >= 0.95
    return None, float(at_an_end.mean())


def _diverged(loss: float, finite: bool) -> Iterator[Finding]:
    if not (math.isfinite(loss) and finite):
        text = "The loss is no finite number any more: a step was so large that numbers overflowed."
        remedy = "Go back, take a smaller learning rate, bound the gradients, scale the inputs."
        yield Finding("diverged", None, "broken", text, remedy)


def _symmetric(model: Model, weights: dict[str, Array]) -> list[Finding]:
    """Find a hidden layer whose units are copies of one another."""
    for name in list(model.network.values)[:-1]:
        kernel = weights.get(f"{name}/kernel")
        if kernel is None or kernel.shape[-1] < 2:
            continue
        columns = kernel.reshape(-1, kernel.shape[-1])
        if np.isfinite(columns).all() and (columns == columns[:, :1]).all():
            text = (
                f"All {columns.shape[1]} units of {name} have equal weights, so they compute the "
                "same and get the same gradient: the layer is one unit wide for ever."
            )
            remedy = "Start from random weights: he_normal for relu, glorot_uniform for the others."
            return [Finding("symmetric_units", name, "broken", text, remedy)]
    return []


def _gradients(
    reports: Sequence[LayerReport], gradients: dict[str, Array], weights: dict[str, Array]
) -> Iterator[Finding]:
    """Find gradients that grow out of proportion, or die on their way back."""
    total = _norm(list(gradients.values()))
    ratio = total / max(_norm([weights[name] for name in gradients]), 1e-30)
    if ratio > EXPLODING:
        text = (
            f"The gradients are {ratio:.0f} times as large as the weights (norm {total:.2g}): "
            "layers multiply them on the way back, or the inputs are that large."
        )
        remedy = "Smaller initial weights, scaled inputs, a bound on the norm (global_clipnorm)."
        yield Finding("exploding_gradients", None, "broken", text, remedy)
    layers = [layer for layer in reports if layer.gradient_rms is not None]
    largest = max((layer.gradient_rms or 0.0 for layer in layers), default=0.0)
    if len(layers) < 3 or not largest:
        return
    share = (layers[0].gradient_rms or 0.0) / largest
    alive = all(layer.dead != 1 for layer in layers)
    if share < VANISHING and alive:
        text = (
            f"The gradient of {layers[0].name} is {share:.1g} of the largest layer's: on the way "
            "back every layer makes it smaller, so the first layers hardly learn."
        )
        remedy = "relu instead of sigmoid or tanh, He's initial weights, fewer layers."
        yield Finding("vanishing_gradients", layers[0].name, "broken", text, remedy)


def _silent(reports: Sequence[LayerReport]) -> Iterator[Finding]:
    """Find layers most of whose units say nothing."""
    for layer in reports:
        if layer.dead is not None and layer.dead > MANY:
            text = (
                f"{layer.dead:.0%} of the {layer.units} relu units of {layer.name} are 0 for every "
                "row: no gradient passes through them, so they cannot come back."
            )
            remedy = "Start again with a smaller learning rate, or take leaky_relu."
            severity = "broken" if layer.dead == 1 else "warning"
            yield Finding("dead_units", layer.name, severity, text, remedy)
        if layer.saturated is not None and layer.saturated > MANY:
            text = (
                f"{layer.saturated:.0%} of the {layer.units} units of {layer.name} are at an end "
                f"of {layer.activation}'s range for nearly every row, where its slope is almost 0."
            )
            remedy = "Smaller weights, scaled inputs, or relu."
            yield Finding("saturated_units", layer.name, "warning", text, remedy)


def _updates(reports: Sequence[LayerReport]) -> Iterator[Finding]:
    """Find steps that change weights by a large part of themselves."""
    ratios = [(layer.update_ratio, layer.name) for layer in reports if layer.update_ratio]
    if ratios and max(ratios)[0] > LARGE_UPDATE:
        ratio, name = max(ratios)
        text = (
            f"The last step changed the weights of {name} by {ratio:.0%} of their size: steps that "
            "large jump over what they are looking for."
        )
        remedy = "A smaller learning rate; about 0.1 % a step is common."
        yield Finding("large_updates", name, "warning", text, remedy)


def _inputs(x: Any) -> Iterator[Finding]:
    """Find inputs whose columns differ widely in scale."""
    arrays = list(x.values()) if isinstance(x, dict) else x if isinstance(x, list) else [x]
    if arrays and not np.ndim(arrays[0]):
        return
    if isinstance(x, list) and np.ndim(x[0]) < 2:
        arrays = [x]
    for array in map(np.asarray, arrays):
        if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
            continue
        spread, mean = array.std(axis=0), np.abs(array.mean(axis=0))
        moving = spread > 1e-6 * np.abs(array).max(axis=0)  # else constant, but for rounding
        if not moving.any() or array.dtype.kind in "iu":
            continue
        ratio = float(spread[moving].max() / spread[moving].min())
        far = float((mean[moving] / spread[moving]).max())
        if ratio > UNLIKE or far > FAR:
            text = (
                f"The widest input varies {ratio:.0f} times as much as the narrowest"
                if ratio > UNLIKE
                else f"An input lies {far:.0f} of its standard deviations from 0"
            )
            text += ": a rate that suits one weight is far too large or too small for another."
            remedy = "Scale the inputs: mean 0 and standard deviation 1 (StandardScaler)."
            yield Finding("unscaled_inputs", None, "warning", text, remedy)
            return


def _gap(loss: float, validation: float | None) -> Iterator[Finding]:
    """Find a model that knows its training rows by heart."""
    if validation is None or not validation > max(GAP * loss, 1e-3):
        return
    times = validation / max(loss, 1e-30)
    often = f"{times:.2g}" if times < 1000 else "more than 1,000"
    text = (
        f"The loss of unseen rows, {validation:.3g}, is {often} times that of the training rows, "
        f"{loss:.3g}: the network knows these rows by heart, down to their noise."
    )
    remedy = "More rows, L2 or dropout, a smaller network, or stopping early."
    yield Finding("overfitting", None, "warning", text, remedy)


def _norm(arrays: Sequence[Array]) -> float:
    """Return the Euclidean norm of all numbers together."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays))
