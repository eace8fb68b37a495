"""The core against the reference: trajectories, parameter by parameter, over every case."""

from dataclasses import replace

import numpy as np
import pytest
from fastnn.graph import Spec
from fastnn.reference import Engine

from tests import cases, tolerance

core = pytest.importorskip("fastnn._core", reason="the core is not built")

DTYPES = ("float64", "float32")
N_STEPS = 20
THREADS = (1, 2, 3, 7)


def both(case, dtype):
    return [cases.compiled(engine, case, dtype) for engine in (core.Engine, Engine)]


def assert_same(actual, expected, allowed, what):
    assert tolerance.close(actual, expected, allowed), (
        f"{what}: {np.abs(np.subtract(actual, expected)).max()} apart, allowed {allowed} of "
        f"{np.abs(expected).max()}"
    )


def assert_same_model(engine, twin, allowed):
    """Parameters and the optimizer's slots agree by name."""
    assert engine.parameters() == twin.parameters()
    for name, _ in twin.parameters():
        assert_same(engine.get(name), twin.get(name), allowed, name)
    state, expected = engine.state(), twin.state()
    assert sorted(state) == sorted(expected)
    for name in expected:
        assert_same(state[name], expected[name], 2 * allowed, name)


def assert_same_result(found, expected, allowed):
    for name in ("steps", "n_examples", "interrupted", "diverged"):
        if name in expected:
            assert found[name] == expected[name]
    for name in ("loss", "losses", "weight"):
        assert found[name] == pytest.approx(expected[name], rel=allowed, abs=allowed)
    for row, other in zip(found["metrics"], expected["metrics"], strict=True):
        assert row == pytest.approx(other, rel=allowed, abs=allowed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_twenty_steps(case, dtype):
    """Four rows in the last batch of eight: every epoch ends in a short one."""
    engine, twin = both(case, dtype)
    results = [cases.train(e, case, N_STEPS, dtype=dtype) for e in (engine, twin)]
    allowed = tolerance.steps(dtype, N_STEPS)
    assert_same_model(engine, twin, allowed)
    for found, expected in zip(*results, strict=True):
        assert_same_result(found, expected, allowed)


@pytest.mark.parametrize("n_rows", [1, 3, 9])
@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_few_rows(case, n_rows):
    """One row alone, fewer rows than a batch holds, a last batch of one row."""
    engine, twin = both(case, "float64")
    for e in (engine, twin):
        cases.train(e, case, 4, n_rows=n_rows)
    assert_same_model(engine, twin, tolerance.steps("float64", 4))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_predictions_evaluation_and_gradients(case, dtype):
    engine, twin = both(case, dtype)
    inputs, targets, weights = cases.data(case, dtype=dtype)
    allowed = tolerance.steps(dtype, 1)
    for y, expected in zip(engine.predict(inputs, 5, 1), twin.predict(inputs, 5), strict=True):
        assert_same(y, expected, allowed, "prediction")
    found = engine.evaluate(inputs, targets, weights, 5, 1)
    assert_same_result(found, twin.evaluate(inputs, targets, weights, 5), allowed)
    loss, gradients = engine.gradients(inputs, targets, weights)
    twin_loss, expected = twin.gradients(inputs, targets, weights)
    assert loss == pytest.approx(twin_loss, rel=allowed)
    assert sorted(gradients) == sorted(expected)
    largest = max(np.abs(g).max() for g in expected.values())
    for name, g in expected.items():
        off = np.abs(gradients[name] - g).max()
        assert off <= allowed * largest, f"{name}: {off} apart, the largest is {largest}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_rows_give_no_predictions(dtype):
    case = cases.CASES[0]
    inputs, _, _ = cases.data(case, n_rows=0, dtype=dtype)
    assert [len(y) for y in both(case, dtype)[0].predict(inputs, 8, 1)] == [0]


def test_gradients_in_between_change_no_training():
    case = next(case for case in cases.CASES if case.name == "penalties global_clipnorm")
    plain, asked = (cases.compiled(core.Engine, case) for _ in range(2))
    for _ in range(3):
        cases.train(plain, case, 4)
        cases.train(asked, case, 4)
        asked.gradients(*cases.data(case))
        asked.evaluate(*cases.data(case), 8, 1)
    assert_identical(plain, asked)


# --- any number of threads ----------------------------------------------------------------------


def dense_case(name, optimizer, n_inputs=120, **settings):
    """A net with enough work in a step for seven threads."""
    graph = cases.Graph()
    h = graph.add("dense", graph.floats(n_inputs), units=130, activation="relu", kernel_l1=1e-4)
    h = graph.add("gaussian_noise", graph.add("dropout", h, rate=0.3), stddev=0.1)
    h = graph.add("dense", h, units=150, activation="tanh", kernel_l2=1e-3)
    y = graph.add("activation", graph.add("dense", h, units=10), activation="softmax")
    settings = {"weighted": True, "metrics": [["accuracy"]], "rate": 0.01, **settings}
    return graph.case(name, [y], ["categorical_crossentropy"], optimizer=optimizer, **settings)


def table_case(name, optimizer, **table):
    """Tables and bags of them under a dense part."""
    graph = cases.Graph()
    user, items = graph.ids(vocabulary=300), graph.ids(5, vocabulary=1000)
    u = graph.add("embedding", user, input_dim=300, output_dim=37, **table)
    bag = {"input_dim": 1000, "output_dim": 37, "mode": "mean", "padding_idx": 0, **table}
    v = graph.add("embedding_bag", items, **bag)
    h = graph.add("concatenate", u, v, graph.add("multiply", u, v))
    h = graph.add("dense", h, units=150, activation="relu")
    y = graph.add("add", graph.add("dense", h, units=1), graph.add("dot", u, v))
    settings = {"n_rows": 700, "batch_size": 300, "rate": 0.05}
    return graph.case(name, [y], optimizer=optimizer, **settings)


def sampled_case(kind, optimizer, **scores):
    """Scores of more classes than a batch looks at, beside a loss of another output."""
    graph = cases.Graph()
    user = graph.ids(vocabulary=300)
    u = graph.add("embedding", user, input_dim=300, output_dim=40)
    h = graph.add("dense", u, units=37, activation="tanh")
    y = graph.add("scores", h, units=900, **scores)
    rating = graph.add("dense", h, units=1)
    losses = [Spec(kind, {"negatives": 200}), "mean_squared_error"]
    return graph.case(
        f"{kind} large", [y, rating], losses, optimizer=optimizer, weighted=True,
        loss_weights=[1.0, 0.5], metrics=[[], []], n_rows=700, batch_size=300,
    )  # fmt: skip


def scores_case(name, optimizer):
    """Scores of all classes, their features among them."""
    graph = cases.Graph()
    u = graph.add("embedding", graph.ids(vocabulary=300), input_dim=300, output_dim=40)
    y = graph.add("scores", u, units=90, **cases.FEATURES)
    return graph.case(
        name, [y], [Spec("categorical_crossentropy", {"from_logits": 1})], optimizer=optimizer,
        n_rows=700, batch_size=300,
    )  # fmt: skip


def image_case(name, optimizer, **settings):
    """Convolutions of every way of computing, statistics over the batch, and pooling."""
    graph = cases.Graph()
    x = graph.add("random_translation", graph.floats(13, 11, 3), height=1, width=2)
    h = graph.add("conv2d", x, filters=17, kernel_size=(3, 3), padding="same", use_bias=0)
    h = graph.add("activation", graph.add("batch_normalization", h), activation="relu")
    h = graph.add("conv2d", h, filters=18, kernel_size=(3, 3), activation="relu")
    h = graph.add("max_pooling2d", h, pool_size=(2, 2))
    h = graph.add("layer_normalization", h)
    h = graph.add("conv2d", h, filters=18, kernel_size=(3, 3), groups=18, kernel_l2=1e-3,
                  activation="relu")  # fmt: skip
    h = graph.add("spatial_dropout2d", graph.add("batch_normalization", h), rate=0.2)
    h = graph.add("flatten", graph.add("average_pooling2d", h, pool_size=(2, 2), padding="same"))
    h = graph.add("batch_normalization", graph.add("dense", h, units=40, use_bias=0))
    y = graph.add("activation", graph.add("dense", h, units=10), activation="softmax")
    settings = {"n_rows": 90, "batch_size": 40, "rate": 0.01, "weighted": True, **settings}
    return graph.case(name, [y], ["categorical_crossentropy"], optimizer=optimizer, **settings)


LARGE = [
    image_case("images adam", Spec("adam", {"epsilon": 1e-3}), metrics=[["accuracy"]]),
    image_case("images clipped", Spec("sgd", {"momentum": 0.9, "global_clipnorm": 0.5})),
    dense_case("dense adam", Spec("adam", {"epsilon": 1e-3}), n_rows=700, batch_size=300),
    dense_case("dense clipped", Spec("sgd", {"momentum": 0.9, "global_clipnorm": 0.1}),
               n_rows=650, batch_size=300),
    dense_case("dense of few rows", Spec("adam", {"epsilon": 1e-3}), 2000, n_rows=45,
               batch_size=20),
    table_case("tables adagrad", Spec("adagrad", {"epsilon": 1e-3}), embeddings_l1=1e-3),
    table_case("tables dense", cases.OPTIMIZERS["sgd momentum"], sparse_update="dense"),
    table_case("tables clipped", Spec("adam", {"epsilon": 1e-3, "global_clipnorm": 0.1})),
    sampled_case("bpr", Spec("adagrad", {"epsilon": 1e-3})),
    sampled_case("warp", Spec("adam", {"epsilon": 1e-3}), **cases.FEATURES),
    sampled_case("sampled_logistic", Spec("sgd", {"clipnorm": 0.1}), sparse_update="dense"),
    sampled_case("sampled_softmax", Spec("adagrad", {"epsilon": 1e-3}), **cases.FEATURES),
    sampled_case("sampled_logistic", Spec("adagrad", {"epsilon": 1e-3, "rowwise": 1}),
                 sparse_update="dense", **cases.FEATURES),
    scores_case("scores of rows", Spec("adagrad", {"epsilon": 1e-3, "rowwise": 1})),
]  # fmt: skip


def assert_identical(engine, other):
    for name, _ in engine.parameters():
        assert np.array_equal(engine.get(name), other.get(name)), name
    state, expected = engine.state(), other.state()
    assert all(np.array_equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_threads_change_no_bit(case, dtype):
    one = cases.compiled(core.Engine, case, dtype)
    result = cases.train(one, case, 5, 1, dtype)
    for threads in THREADS[1:]:
        other = cases.compiled(core.Engine, case, dtype)
        assert cases.train(other, case, 5, threads, dtype) == result
        assert_identical(one, other)


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_threads_change_no_bit_of_predictions(case):
    engine = cases.compiled(core.Engine, case)
    inputs, targets, weights = cases.data(case, n_rows=5000)
    first, result = engine.predict(inputs, 64, 1), engine.evaluate(inputs, targets, weights, 64, 1)
    for threads in THREADS[1:]:
        for y, expected in zip(engine.predict(inputs, 64, threads), first, strict=True):
            assert np.array_equal(y, expected)
        assert engine.evaluate(inputs, targets, weights, 64, threads) == result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large_models(case, dtype):
    engine, twin = both(case, dtype)
    for e in (engine, twin):
        cases.train(e, case, 5, 2, dtype)
    more = tolerance.WINOGRAD if "images" in case.name and dtype == "float32" else 1
    assert_same_model(engine, twin, more * tolerance.steps(dtype, 5))


def test_small_and_large_calls_of_train_agree():
    """Twenty calls of one step end where two calls of ten do."""
    case = next(replace(case, batch_size=64) for case in LARGE if case.name == "dense adam")
    inputs, targets, weights = cases.data(case)
    together, apart = (cases.compiled(core.Engine, case) for _ in range(2))
    for first in (0, 5):
        together.train(inputs, targets, weights, 64, True, 1, 0, first, [0.01] * 5, 2, None)
    for first in range(10):
        apart.train(inputs, targets, weights, 64, True, 1, 0, first, [0.01], 1, None)
    assert_identical(together, apart)
