import re
from pathlib import Path

import numpy as np
import pytest
from fastnn.graph import Node
from fastnn.reference import rng
from fastnn.reference.activations import ACTIVATIONS
from fastnn.reference.layer import RowGradient, Run
from fastnn.reference.layers import LAYERS
from fastnn.reference.losses import LOSSES
from fastnn.reference.metrics import METRICS
from fastnn.reference.plan import plan
from fastnn.reference.ranking import RANKING_LOSSES
from fastnn.reference.update import OPTIMIZERS

from tests import cases, tolerance
from tests.reference.differences import numeric_gradient, spread

DESIGN = (Path(__file__).parents[2] / "docs" / "design.md").read_text()
N_ROWS = 5
NOISE = (
    *("dropout", "gaussian_noise", "spatial_dropout2d"),
    *("random_flip", "random_translation"),
)


def prepared(row, random):
    """Return a layer with random parameters, and a batch of inputs for it."""
    layers, _ = plan(cases.single(row), np.dtype("float64"))
    layer = layers[-1]
    for name, w in layer.parameters.items():
        layer.parameters[name] = random.normal(size=w.shape)
        if name == "moving_variance":
            layer.parameters[name] = random.uniform(0.5, 2, w.shape)
        if name == "features":
            layer.parameters[name] = random.integers(-1, 3, w.shape).astype(w.dtype)
    inputs = []
    for i, shape in zip(layer.node.inputs, row.shapes, strict=True):
        size = (N_ROWS, *layers[i].shape)
        if shape[0] == "ids":
            inputs.append(random.integers(0, cases.VOCABULARY, size, dtype=np.int32))
        else:
            x = random.normal(size=size)
            inputs.append(np.abs(x) + 0.1 if shape[0] == "positive" else x)
    return layer, inputs


@pytest.mark.parametrize("row", cases.LAYERS, ids=lambda row: row.name)
def test_backward_equals_central_differences(row, random):
    """The slope of sum(y * dy), and of the row penalty where there is one, in training mode."""
    layer, inputs = prepared(row, random)
    shares = random.uniform(0.5, 1, N_ROWS)
    run = Run(N_ROWS, True, 7, 3, shares, batch_statistics=True)
    y, saved = layer.forward(inputs, run)
    assert y.shape == (N_ROWS, *layer.shape)
    dy = random.normal(size=y.shape)

    def value():
        y, saved = layer.forward(inputs, run)
        penalty = layer.row_penalty(saved) if hasattr(layer, "row_penalty") else np.zeros(N_ROWS)
        return float((y * dy).sum() + (shares * penalty).sum())

    dx, found = layer.backward(saved, dy, run)
    for x, got in zip(inputs, dx, strict=True):
        if x.dtype.kind == "f":
            assert_slopes(value, x, got)
        else:
            assert got is None
    assert sorted(found) == sorted({*layer.parameters} - {*layer.statistics})
    for name, got in found.items():
        w = layer.parameters[name]
        got = got.to_dense(len(w)) if isinstance(got, RowGradient) else got
        assert_slopes(value, w, got)


def assert_slopes(value, x, got):
    """Compare a gradient with central differences, at places all over it."""
    assert got.shape == x.shape
    places = spread(x)
    expected = numeric_gradient(value, x, places)
    found, wanted = ([array[place] for place in places] for array in (got, expected))
    assert tolerance.close(found, wanted, tolerance.DIFFERENCES)


def column(section):
    """First column of the table, or the first list, below a heading of the design."""
    text = DESIGN[DESIGN.index(section) :]
    table = text[text.index("| --- |") :]
    cells = re.findall(r"^\| ([^|]+) \|", table[: table.index("\n\n")], re.MULTILINE)
    words = (re.sub(r"\(.*", "", cell).split(",") for cell in cells if "---" not in cell)
    return sorted(word.strip() for group in words for word in group)


def test_every_kind_in_the_design_exists():
    assert column("## 2.") == sorted(LAYERS)


def test_every_optimizer_in_the_design_exists():
    assert column("### Optimizers") == sorted(OPTIMIZERS)


@pytest.mark.parametrize(
    ("start", "table"),
    [
        ("\nActivations:", ACTIVATIONS),
        ("\nmean_squared_error, ", LOSSES),
        ("\nsampled_softmax ", RANKING_LOSSES),
        ("\nMetrics:", METRICS),
    ],
)
def test_every_name_in_the_design_exists(start, table):
    text = DESIGN[DESIGN.index(start) :]
    paragraph = text[: text.index("\n\n", len(start) + 2)]
    for name in table:
        assert re.search(rf"\b{name}\b", paragraph), name


def test_cases_hold_every_kind():
    assert {row.kind for row in cases.LAYERS} | {"input"} == set(LAYERS)
    assert {spec.kind for spec in cases.OPTIMIZERS.values()} == set(OPTIMIZERS)
    losses = {loss.kind for case in cases.CASES for loss in case.losses}
    assert losses == {*LOSSES, *RANKING_LOSSES}
    assert len({case.name for case in cases.CASES}) == len(cases.CASES)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_within_3_deviations(rate):
    nodes = [Node("input", "x", (), {"shape": (64,)}), Node("dropout", "d", (0,), {"rate": rate})]
    layer = plan(nodes, np.dtype("float64"))[0][-1]
    y, _ = layer.forward([np.ones((500, 64))], Run(500, True, 1, 0))
    kept = (y != 0).mean()
    assert abs(kept - (1 - rate)) < 3 * np.sqrt(rate * (1 - rate) / y.size)
    assert y.max() == pytest.approx(1 / (1 - rate))


def test_dropout_follows_the_counter_of_the_design():
    nodes = [Node("input", "x", (), {"shape": (6,)}), Node("dropout", "d", (0,), {"rate": 0.5})]
    layer = plan(nodes, np.dtype("float64"))[0][-1]
    y, _ = layer.forward([np.ones((3, 6))], Run(3, True, 21, 17))
    column, row, step, node = 5, 2, 17, 1
    words = rng.philox(np.array([column // 4, row, step, 2 + 4 * node], np.uint64), 21)
    assert (y[row, column] != 0) == ((words[column % 4] >> 8) * 2.0**-24 >= 0.5)


def test_noise_acts_in_training_alone(random):
    for row in cases.LAYERS:
        if row.kind in NOISE:
            layer, inputs = prepared(row, random)
            y, _ = layer.forward(inputs, Run(N_ROWS))
            assert np.array_equal(y, inputs[0])
