"""Training with factors rounded to bfloat16: against the reference, float32, threads, samples."""

from dataclasses import replace

import numpy as np
import pytest
from fastnn import Sequential, datasets, layers
from fastnn.graph import Spec
from fastnn.reference import Engine

from tests import cases, tolerance

core = pytest.importorskip("fastnn._core", reason="the core is not built")

CASES = {case.name: case for case in cases.CASES}
FOLLOWED = [
    "layer dense of rank 3",
    "layer dense of one",
    "layer dense of odd sizes",
    "loss categorical weighted",
    "dropout and noise",
    "autoencoder with a sparse code",
    "optimizer adam global_clipnorm",
    "penalties adam",
    "wide, with a frozen layer",
    "images: conv, pool, dropout, dense",
    "images: wide convolutions",
    "images: depthwise with a way around",
    "sequences: conv1d",
    "images: a frozen convolution, a loss at the last one",
]


def made(engine_class, case, convolution="direct"):
    engine = engine_class(case.nodes, case.outputs, "float32", convolution, "bf16")
    return cases.prepare(engine, case, "float32")


def both(name, **changes):
    case = replace(CASES[name], **changes)
    return case, made(core.Engine, case), made(Engine, case)


def assert_same_arrays(found, expected, allowed):
    for name, value in expected.items():
        assert tolerance.close(found[name], value, allowed), name


@pytest.mark.parametrize("name", FOLLOWED)
def test_gradients_are_the_reference_s(name):
    """One layer's sums differ in their order; a later factor may so round to its neighbour."""
    case, engine, twin = both(name)
    inputs, targets, weights = cases.data(case, dtype="float32")
    y, expected = engine.predict(inputs, 5, 1), twin.predict(inputs, 5)
    assert all(tolerance.close(*pair, 1e-3) for pair in zip(y, expected, strict=True))
    loss, found = engine.gradients(inputs, targets, weights)
    twin_loss, expected = twin.gradients(inputs, targets, weights)
    assert loss == pytest.approx(twin_loss, rel=1e-3)
    assert_same_arrays(found, expected, 5e-3)


@pytest.mark.parametrize("n_rows", [None, 1, 7])
@pytest.mark.parametrize("name", FOLLOWED)
def test_training_follows_the_reference(name, n_rows):
    """Odd batches: their last row has no partner in the gradients of kernels."""
    case, engine, twin = both(name, batch_size=5)
    results = [cases.train(e, case, 4, dtype="float32", n_rows=n_rows) for e in (engine, twin)]
    for found, expected in zip(*results, strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], rel=5e-3)
    names = [name for name, _ in twin.parameters()]
    arrays = [{name: e.get(name) for name in names} for e in (engine, twin)]
    assert_same_arrays(arrays[0], arrays[1], 1e-2)


def test_winograd_convolves_within_its_rounding():
    case = CASES["images: wide convolutions"]
    engine, twin = made(core.Engine, case, "winograd"), made(Engine, case)
    inputs, targets, weights = cases.data(case, dtype="float32")
    assert tolerance.close(engine.predict(inputs, 5, 1)[0], twin.predict(inputs, 5)[0], 0.02)
    found, expected = (e.gradients(inputs, targets, weights)[1] for e in (engine, twin))
    assert_same_arrays(found, expected, 0.1)
    found, expected = (cases.train(e, case, 8, dtype="float32") for e in (engine, twin))
    assert found[-1]["loss"] == pytest.approx(expected[-1]["loss"], rel=0.02)


def net(**settings):
    """A net with enough work in a step for seven threads."""
    graph = cases.Graph()
    h = graph.add("dense", graph.floats(121), units=130, activation="relu", kernel_l1=1e-4)
    h = graph.add("dense", graph.add("dropout", h, rate=0.3), units=151, activation="tanh")
    y = graph.add("activation", graph.add("dense", h, units=10), activation="softmax")
    adam = Spec("adam", {"epsilon": 1e-3})
    settings = {"optimizer": adam, "weighted": True, "rate": 0.01, **settings}
    return graph.case("net", [y], ["categorical_crossentropy"], **settings)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(700, 301), (45, 21), (5, 3)])
@pytest.mark.parametrize("clip", [{}, {"global_clipnorm": 0.1}])
def test_threads_change_no_bit(n_rows, batch_size, clip):
    optimizer = Spec("adam", {"epsilon": 1e-3, **clip})
    case = net(n_rows=n_rows, batch_size=batch_size, optimizer=optimizer)
    found = []
    for threads in (1, 2, 3, 7):
        engine = made(core.Engine, case)
        result = cases.train(engine, case, 4, threads, "float32")
        arrays = [engine.get(name).tobytes() for name, _ in engine.parameters()]
        inputs = cases.data(case, 1000, "float32")[0]
        found.append([result, arrays, engine.predict(inputs, 64, threads)[0].tobytes()])
    assert all(other == found[0] for other in found[1:])


def images():
    """Convolutions of both ways of computing, one of them normalised."""
    graph = cases.Graph()
    h = graph.add("conv2d", graph.floats(13, 11, 3), filters=17, kernel_size=(3, 3))
    h = graph.add("conv2d", h, filters=33, kernel_size=(3, 3), activation="tanh", padding="same")
    h = graph.add("conv2d", h, filters=18, kernel_size=(2, 2), strides=(2, 2), use_bias=0)
    h = graph.add("activation", graph.add("batch_normalization", h), activation="relu")
    h = graph.add("dense", graph.add("flatten", h), units=10)
    y = graph.add("activation", h, activation="softmax")
    settings = {"optimizer": Spec("adam", {"epsilon": 1e-3}), "n_rows": 45, "batch_size": 21}
    return graph.case("images", [y], ["categorical_crossentropy"], rate=0.01, **settings)


@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_threads_change_no_bit_of_convolutions(convolution):
    case, found = images(), []
    for threads in (1, 2, 3, 7):
        engine = made(core.Engine, case, convolution)
        result = cases.train(engine, case, 4, threads, "float32")
        arrays = [engine.get(name).tobytes() for name, _ in engine.parameters()]
        inputs = cases.data(case, 200, "float32")[0]
        found.append([result, arrays, engine.predict(inputs, 64, threads)[0].tobytes()])
    assert all(other == found[0] for other in found[1:])


def test_predictions_do_not_depend_on_the_rows_beside():
    engine = made(core.Engine, net())
    inputs = cases.data(net(), 33, "float32")[0]
    whole = engine.predict(inputs, 64, 1)[0]
    for row in (0, 7, 32):
        alone = engine.predict([inputs[0][row : row + 1]], 1, 1)[0]
        assert alone.tobytes() == whole[row : row + 1].tobytes()


def test_set_weights_are_used_at_once():
    case, engine, twin = both("loss categorical weighted")
    inputs = cases.data(case, dtype="float32")[0]
    for name, shape in twin.parameters():
        for e in (engine, twin):
            e.set(name, np.full(shape, 0.3, np.float32))
    assert tolerance.close(engine.predict(inputs, 5, 1)[0], twin.predict(inputs, 5)[0], 1e-3)


def test_a_sample_of_digits_is_learned_as_well_as_in_float32():
    images = datasets.load_mnist_sample()
    chain = [layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
    accuracy = []
    for precision in ("float32", "bf16"):
        model = Sequential(chain, input_shape=784, seed=1, precision=precision)
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(images.X_train, images.y_train, batch_size=50, epochs=10)
        accuracy.append(model.evaluate(images.X_test, images.y_test)["accuracy"])
    assert accuracy[0] >= 0.85
    assert accuracy[1] == pytest.approx(accuracy[0], abs=0.02)
