"""One network written four ways predicts the same bits: estimator, chain, graph and functions."""

import importlib

import numpy as np
import pytest
from fastnn import Input, MLPClassifier, MLPRegressor, Model, Sequential, layers
from fastnn.optimizers import SGD

pytest.importorskip("fastnn._core", reason="the core is not built")
F = importlib.import_module("fastnn.functional")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_ROWS = 301  # more than the engine takes in one block, and odd
HIDDEN = (17, 9)


def by_functions(x, weights, activation, last):
    """Return what a chain of dense layers gives, from its get_weights()."""
    *inner, (w, b) = zip(weights[::2], weights[1::2], strict=True)
    for kernel, bias in inner:
        x = getattr(F, activation)(F.linear(x, kernel, bias))
    z = F.linear(x, w, b)
    return z if last == "identity" else getattr(F, last)(z)


def by_layers(weights, activation, last, dtype):
    """Return the graph and the chain with these weights."""
    words = [(len(b), activation) for b in weights[1::2]]
    words[-1] = (words[-1][0], last)
    value = source = Input((weights[0].shape[0],))
    for units, word in words:
        value = layers.Dense(units, word)(value)
    stack = [layers.Dense(units, word) for units, word in words]
    models = (
        Model(source, value, dtype=dtype),
        Sequential(stack, input_shape=weights[0].shape[0], dtype=dtype),
    )
    for model in models:
        model.set_weights(weights)
    return models


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize(
    ("kind", "last"),
    [(MLPRegressor, "identity"), (MLPClassifier, "softmax"), (MLPClassifier, "sigmoid")],
    ids=["regression", "classes", "labels"],
)
def test_four_levels_predict_the_same(kind, last, activation, dtype, random):
    X = random.normal(size=(N_ROWS, 5)).astype(dtype)
    y = {
        "identity": random.normal(size=(N_ROWS, 2)),
        "softmax": np.arange(N_ROWS) % 3,
        "sigmoid": random.integers(0, 2, (N_ROWS, 2)),
    }[last]
    settings = {"hidden_layer_sizes": HIDDEN, "activation": activation, "dtype": dtype}
    estimator = kind(**settings, max_iter=2, random_state=0).fit(X, y)
    expected = estimator.predict(X) if kind is MLPRegressor else estimator.predict_proba(X)

    weights = estimator.model_.get_weights()
    predictions = [model.predict(X) for model in by_layers(weights, activation, last, dtype)]
    predictions.append(by_functions(X, weights, activation, last))
    for found in predictions:
        assert found.dtype == dtype
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_look_up_what_a_model_does(dtype, random):
    user, items = Input(dtype="int32", name="user"), Input((3,), dtype="int32", name="items")
    vector = layers.Embedding(7, 4)(user)
    bag = layers.EmbeddingBag(9, 5, mode="sqrtn", padding_idx=0)(items)
    model = Model([user, items], [vector, bag], dtype=dtype, seed=3)
    ids, bags = random.integers(0, 7, 90), random.integers(0, 9, (90, 3))

    found = model.predict({"user": ids, "items": bags})
    tables = model.get_weights()
    assert np.array_equal(F.embedding(ids, tables[0]), found[0])
    assert np.array_equal(F.embedding_bag(bags, tables[1], mode="sqrtn", padding_idx=0), found[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_by_functions_is_the_model_s_step(dtype, random):
    x = random.normal(size=(40, 5)).astype(dtype)
    labels = random.integers(0, 3, 40)
    model = Sequential(
        [layers.Dense(8, "tanh"), layers.Dense(3, "softmax")], input_shape=5, dtype=dtype
    )
    rate = 0.1
    model.compile(SGD(rate), "categorical_crossentropy")
    weights = [w.copy() for w in model.get_weights()]
    model.fit(x, labels, batch_size=40, epochs=1, shuffle=False)

    w1, b1, w2, b2 = weights
    z = F.linear(x, w1, b1)
    hidden = F.tanh(z)
    dlogits = F.cross_entropy_backward(F.linear(hidden, w2, b2), labels)
    dhidden, dw2, db2 = F.linear_backward(dlogits, hidden, w2)
    _, dw1, db1 = F.linear_backward(F.tanh_backward(dhidden, z), x, w1)
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    for before, d, after in zip(weights, (dw1, db1, dw2, db2), model.get_weights(), strict=True):
        assert np.abs(before - rate * d - after).max() <= tolerance
