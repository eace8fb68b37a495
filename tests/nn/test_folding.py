"""Prediction with batch normalisations folded into the convolutions before them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastnn.reference import Engine

from tests import cases, tolerance

core = pytest.importorskip("fastnn._core", reason="the core is not built")

ACTIVATIONS = ("relu", "tanh", "gelu")


def net(channels=3, filters=5, activation="relu", last=False, **convolution):
    """conv - batch normalisation - activation, with more behind unless that is the last."""
    graph = cases.Graph()
    convolution = {"filters": filters, "kernel_size": (3, 3), **convolution}
    h = graph.add("conv2d", graph.floats(8, 9, channels), **convolution)
    h = graph.add("activation", graph.add("batch_normalization", h), activation=activation)
    outputs = [h if last else graph.add("dense", graph.add("flatten", h), units=3)]
    return graph.case("folded", outputs, rate=0.01)


def both(case, dtype="float64"):
    return [cases.compiled(engine, case, dtype) for engine in (core.Engine, Engine)]


def assert_same_predictions(engine, twin, case, dtype="float64"):
    inputs, targets, weights = cases.data(case, dtype=dtype)
    allowed = tolerance.steps(dtype, 10)
    y, expected = engine.predict(inputs, 8, 1)[0], twin.predict(inputs, 8)[0]
    assert tolerance.close(y, expected, allowed)
    found = engine.evaluate(inputs, targets, weights, 8, 1)["loss"]
    assert found == pytest.approx(twin.evaluate(inputs, targets, weights, 8)["loss"], rel=allowed)


@pytest.mark.parametrize(
    "settings",
    [
        *({"activation": name} for name in ACTIVATIONS),
        {"use_bias": 0},
        {"trainable": 0},
        {"last": True},
        {"activation": "identity", "last": True},
        {"channels": 16, "filters": 18},
        {"channels": 4, "filters": 8, "groups": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_predictions_follow_the_weights(settings, dtype):
    """Before and after training, and when weights are set: nothing folded is out of date."""
    case = net(**settings)
    engine, twin = both(case, dtype)
    assert_same_predictions(engine, twin, case, dtype)
    for e in (engine, twin):
        cases.train(e, case, 3, dtype=dtype)
    assert_same_predictions(engine, twin, case, dtype)
    for name, shape in engine.parameters():
        value = np.linspace(0.2, 1.1, int(np.prod(shape)), dtype=dtype).reshape(shape)
        engine.set(name, value)
        twin.set(name, value)
        assert_same_predictions(engine, twin, case, dtype)


def test_a_value_used_twice_is_not_folded_away():
    graph = cases.Graph()
    h = graph.add("conv2d", graph.floats(6, 6, 2), filters=4, kernel_size=(3, 3))
    normal = graph.add("batch_normalization", h)
    y = graph.add("dense", graph.add("flatten", graph.add("add", h, normal)), units=2)
    case = graph.case("twice", [y])
    engine, twin = both(case)
    assert_same_predictions(engine, twin, case)


def test_values_on_the_way_can_be_outputs():
    graph = cases.Graph()
    h = graph.add("conv2d", graph.floats(6, 6, 2), filters=4, kernel_size=(3, 3))
    normal = graph.add("batch_normalization", h)
    y = graph.add("activation", normal, activation="relu")
    case = graph.case(
        "outputs", [h, normal, y], ["mean_squared_error"] * 3, loss_weights=[1.0] * 3,
        metrics=[[]] * 3,
    )  # fmt: skip
    engine, twin = both(case)
    inputs, _, _ = cases.data(case)
    pairs = zip(engine.predict(inputs, 8, 1), twin.predict(inputs, 8), strict=True)
    assert all(tolerance.close(y, expected, 1e-12) for y, expected in pairs)


def test_threads_that_predict_at_once_see_folded_weights():
    case = net(channels=16, filters=32)
    engine = cases.compiled(core.Engine, case, "float32")
    inputs, _, _ = cases.data(case, dtype="float32")
    for step in range(5):
        cases.train(engine, case, 2, dtype="float32")
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: engine.predict(inputs, 8, 1)[0], range(8)))
        assert all(np.array_equal(found[0], y) for y in found), step
