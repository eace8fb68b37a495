"""Descriptions: what they refuse, how they print and become JSON; graphs and their nodes."""

import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
from fastnn import Input, Model, graph, initializers, layers, losses, optimizers, regularizers
from fastnn import schedules as s
from fastnn.description import Description

L: Any = layers
make_loss: Any = losses.BinaryCrossentropy
make_model: Any = Model
rules: Any = optimizers
REFUSED = [
    (lambda: L.Dense(0), ValueError, "units: expected an integer >= 1, got 0"),
    (lambda: L.Dense(-3), ValueError, "units: expected an integer >= 1, got -3"),
    (lambda: L.Dense(2.0), TypeError, "units: expected an integer >= 1, got float"),
    (lambda: L.Dense(True), TypeError, "units: expected an integer >= 1, got bool"),
    (lambda: L.Dense("4"), TypeError, "units: expected an integer >= 1, got str"),
    (lambda: L.Dense(2, "swish"), ValueError, "activation: expected one of identity, linear, relu"),
    (lambda: L.Dense(2, np.tanh), TypeError, "activation: expected one of identity, linear, relu"),
    (lambda: L.Dense(2, use_bias=1), TypeError, "use_bias: expected True or False, got int"),
    (lambda: L.Dense(2, name="a/b"), ValueError, "name: expected a word without '/' and ':'"),
    (lambda: L.Dense(2, name=3), TypeError, "name: expected a word, got int"),
    (
        lambda: L.Dense(2, kernel_initializer="hot"),
        ValueError,
        "kernel_initializer: expected an Initializer or one of zeros, ones, uniform",
    ),
    (
        lambda: L.Dense(2, kernel_regularizer=0.1),
        TypeError,
        "kernel_regularizer: expected a Regularizer or one of l1, l2, l1_l2, got float",
    ),
    (lambda: L.Embedding(0, 2), ValueError, "input_dim: expected an integer >= 1, got 0"),
    (lambda: L.Embedding(5, -1), ValueError, "output_dim: expected an integer >= 1, got -1"),
    (
        lambda: rules.FTRL(0.1, learning_rate_power=0.5),
        ValueError,
        "learning_rate_power: expected a number of at most 0, got 0.5",
    ),
    (
        lambda: rules.FTRL(0.1, weight_decay=0.1),
        ValueError,
        "weight_decay: expected None for FTRL, got 0.1; its l2 pulls",
    ),
    (
        lambda: rules.Adagrad(0.1, rowwise=2),
        TypeError,
        "rowwise: expected True or False, got int",
    ),
    (
        lambda: L.Embedding(5, 1, sparse_update="lazy"),
        ValueError,
        "sparse_update: expected one of touched, exact, dense, got 'lazy'",
    ),
    (
        lambda: L.EmbeddingBag(5, 1, mode="avg"),
        ValueError,
        "mode: expected one of sum, mean, sqrtn, max, got 'avg'",
    ),
    (
        lambda: L.EmbeddingBag(5, 1, padding_idx=5),
        ValueError,
        "padding_idx: expected an integer in [0, 4], got 5",
    ),
    (lambda: L.Dropout(1.5), ValueError, "rate: expected a number in [0, 1], got 1.5"),
    (lambda: L.Dropout("much"), TypeError, "rate: expected a number in [0, 1], got str"),
    (lambda: L.GaussianNoise(-1), ValueError, "stddev: expected a finite number >= 0, got -1"),
    (lambda: L.Rescaling(np.nan), ValueError, "scale: expected a finite number, got nan"),
    (lambda: L.Reshape((2, -1)), ValueError, "target_shape: expected an integer >= 1, got -1"),
    (lambda: Input((0,)), ValueError, "shape: expected an integer >= 1, got 0"),
    (lambda: Input(()), ValueError, "shape: expected at least one axis for dtype float32, got ()"),
    (
        lambda: Input(3, dtype="int64"),
        ValueError,
        "dtype: expected one of float32, int32, got 'int64'",
    ),
    (lambda: Input(3, vocabulary=4), ValueError, "vocabulary: expected None for dtype float32"),
    (lambda: losses.Huber(0), ValueError, "delta: expected a finite number > 0, got 0"),
    (
        lambda: make_loss(from_logits="yes"),
        TypeError,
        "from_logits: expected True or False, got str",
    ),
    (
        lambda: losses.get("loss", "hinge"),
        ValueError,
        "loss: expected a Loss or one of mean_squared_error, mse",
    ),
    (
        lambda: optimizers.get("optimizer", "lbfgs"),
        ValueError,
        "optimizer: expected an Optimizer or one of sgd, adagrad, rmsprop, ftrl, adam, adamw, got",
    ),
    (
        lambda: optimizers.Adam(-0.1),
        ValueError,
        "learning_rate: expected a finite number >= 0, got -0.1",
    ),
    (
        lambda: optimizers.SGD(momentum=1),
        ValueError,
        "momentum: expected a number in [0, 1), got 1",
    ),
    (
        lambda: optimizers.Adam(beta_2=1.0),
        ValueError,
        "beta_2: expected a number in [0, 1), got 1.0",
    ),
    (
        lambda: optimizers.Adam(clipnorm=1.0, clipvalue=0.5),
        ValueError,
        "clipnorm: expected None beside clipvalue, got 1.0",
    ),
    (
        lambda: optimizers.Adam(global_clipnorm=0),
        ValueError,
        "global_clipnorm: expected a finite number > 0, got 0",
    ),
    (lambda: regularizers.L1(-1), ValueError, "l1: expected a finite number >= 0, got -1"),
    (lambda: regularizers.L2(np.inf), ValueError, "l2: expected a finite number >= 0, got inf"),
    (
        lambda: initializers.RandomUniform(1, 0),
        ValueError,
        "maxval: expected a finite number >= 1, got 0",
    ),
    (lambda: s.OneCycle(0), ValueError, "max_rate: expected a finite number > 0, got 0"),
    (lambda: s.ExponentialDecay(1, 0, 0.5), ValueError, "decay_steps: expected an integer >= 1"),
    (
        lambda: s.ExponentialDecay(1, 1, 2),
        ValueError,
        "decay_rate: expected a number in (0, 1], got 2",
    ),
    (lambda: L.Dense(2)(np.ones(3)), TypeError, "inputs: expected values made by Input or a layer"),
    (lambda: L.Dot()(Input(2)), ValueError, "inputs: expected 2 values for Dot, got 1"),
    (lambda: L.Add()([Input(2)]), ValueError, "inputs: expected 2 or more values for Add, got 1"),
    (
        lambda: L.EmbeddingBag(3, 2, mode="max")(Input(2, dtype="int32"), Input(2)),
        ValueError,
        "inputs: expected ids alone for mode 'max', got ids and weights",
    ),
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED)
def test_a_bad_argument_is_named(make, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()


EXAMPLES = [
    L.Dense(3, "relu", kernel_regularizer=regularizers.L1L2(l1=0.1, l2=0.2), name="first"),
    L.Embedding(5, 2, embeddings_initializer=initializers.RandomNormal(stddev=0.1)),
    L.EmbeddingBag(5, 2, mode="sqrtn", padding_idx=0, trainable=False),
    L.Reshape((2, 3)),
    L.Dropout(0.5),
    L.Rescaling(2.0, 1.0),
    L.Activation("gelu"),
    losses.Huber(2.0),
    losses.CategoricalCrossentropy(from_logits=True),
    optimizers.AdamW(s.OneCycle(0.1, pct_start=0.3), weight_decay=0.1),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=1.0),
    Input((2, 3), dtype="int32", vocabulary=4, name="ids").layer,
]


@pytest.mark.parametrize("given", EXAMPLES, ids=lambda given: type(given).__name__)
def test_a_description_comes_back_from_json_and_from_pickle(given):
    config = json.loads(json.dumps(given.to_config()))
    assert Description.from_config(config) == given
    assert pickle.loads(pickle.dumps(given)) == given


def test_a_description_prints_what_differs_from_the_defaults():
    assert (
        repr(L.Dense(np.int64(3), "relu", name="a"))
        == "Dense(units=3, activation='relu', name='a')"
    )
    assert repr(optimizers.AdamW()) == "AdamW()"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "Convolution"}, "type: expected one of Layer, InputLayer, Conv2D"),
        ({"type": "Dense"}, "config: "),
        ({"type": "Dense", "units": 2, "dropout": 1}, "config: expected settings of Dense"),
        ({"type": "Adam"}, "type: expected one of Layer"),
        ([], "config: expected a mapping, got list"),
    ],
)
def test_a_config_of_nothing_we_know_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        L.Layer.from_config(config)


def test_a_graph_becomes_nodes():
    x = Input((4,), name="x")
    hidden = L.Dense(3, "gelu", activity_regularizer="l1", kernel_regularizer=regularizers.L2(0.5))(
        x
    )
    out = L.Dense(2, "softmax", name="out")(L.Add()(hidden, L.Dense(3)(x)))
    nodes, outputs = graph.lower([x], [out, hidden])
    assert [(node.kind, node.name, node.inputs) for node in nodes] == [
        ("input", "x", ()),
        ("dense", "dense", (0,)),
        ("activation", "dense/activation", (1,)),
        ("activity_regularization", "dense/activity_regularization", (2,)),
        ("dense", "dense_1", (0,)),
        ("add", "add", (3, 4)),
        ("dense", "out", (5,)),
        ("activation", "out/activation", (6,)),
    ]
    assert outputs == [7, 3]
    assert nodes[0].config == {"shape": (4,), "dtype": "float"}
    assert nodes[1].config["kernel_l2"] == 0.5
    assert nodes[1].config["activation"] == "identity"


def test_the_vocabulary_of_ids_is_that_of_the_smallest_table():
    ids = Input(dtype="int32")
    both = L.Add()(L.Embedding(7, 2)(ids), L.Embedding(5, 2)(ids))
    nodes, _ = graph.lower([ids], [both])
    assert nodes[0].config["vocabulary"] == 5


def test_a_long_chain_is_no_deep_recursion():
    value = first = Input(2)
    for _ in range(3000):
        value = L.Rescaling(1.0)(value)
    assert len(graph.lower([first], [value])[0]) == 3001
    assert len(repr(value)) < 100


def model_of(*layer_list):
    x = value = Input(2)
    for layer in layer_list:
        value = layer(value)
    return Model(x, value, backend="numpy")


shared = L.Dense(2)
a, b = Input(2, name="a"), Input(3, name="b")
ids = Input(dtype="int32", name="ids")
BAD_GRAPHS = [
    (
        lambda: model_of(shared, shared),
        ValueError,
        "dense: expected one call of a layer with weights",
    ),
    (
        lambda: model_of(L.Dense(2, name="x"), L.Dense(2, name="x")),
        ValueError,
        "name: expected a name for each layer, got 'x' twice",
    ),
    (
        lambda: Model(a, L.Dense(1)(b)),
        ValueError,
        "inputs: expected every Input that the outputs use",
    ),
    (
        lambda: Model([a, b], L.Dense(1)(b)),
        ValueError,
        "inputs: expected inputs that the outputs use",
    ),
    (lambda: Model([], L.Dense(1)(b)), ValueError, "inputs: expected one or more different values"),
    (
        lambda: Model([a, a], L.Dense(1)(a)),
        ValueError,
        "inputs: expected one or more different values",
    ),
    (
        lambda: make_model(3, L.Dense(1)(a)),
        TypeError,
        "inputs: expected values made by Input or a layer",
    ),
    (
        lambda: Model(L.Dense(1)(a), L.Dense(1)(a), backend="numpy"),
        TypeError,
        "inputs: expected values made by Input",
    ),
    (
        lambda: Model(ids, L.Flatten()(ids), backend="numpy"),
        ValueError,
        "inputs: expected 'ids' (int32) to enter an Embedding or EmbeddingBag, got no table",
    ),
    (lambda: Model(a, a, backend="cuda"), ValueError, "backend: expected one of core, numpy, got"),
    (lambda: Model(a, a, dtype="float16"), ValueError, "dtype: expected one of float32, float64"),
    (
        lambda: Model(a, a, seed=-1),
        ValueError,
        "seed: expected an integer in [0, 18446744073709551615]",
    ),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD_GRAPHS)
def test_a_bad_graph_is_refused(make, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()


def test_shapes_that_do_not_fit_are_named(backend):
    with pytest.raises(ValueError, match=r"add.*\(2,\).*\(3,\)"):
        Model([a, b], L.Add()(a, b), backend=backend)


def test_a_layer_without_weights_may_be_used_again():
    again = L.Dropout(0.5, name="drop")
    names = [name for name, _ in model_of(L.Dense(2), again, L.Dense(2), again).parameters()]
    assert names == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]


def test_schedules_do_not_depend_on_how_steps_are_cut():
    for schedule in (s.OneCycle(0.3), s.CosineDecay(0.3), s.ExponentialDecay(0.3, 4, 0.5)):
        whole = schedule.rates(0, 10, 10)
        parts = [schedule.rates(0, 3, 10), schedule.rates(3, 7, 10)]
        np.testing.assert_array_equal(whole, np.concatenate(parts))
        assert whole.dtype == np.float64


def test_one_cycle_rises_to_its_maximum_and_falls_to_near_zero():
    rates = s.OneCycle(1.0, pct_start=0.25).rates(0, 101, 101)
    assert rates[0] == pytest.approx(1 / 25)
    assert rates.argmax() == 25
    assert rates[25] == 1
    assert rates[-1] == pytest.approx(1e-5)
    assert np.all(np.diff(rates[:26]) > 0)
    assert np.all(np.diff(rates[25:]) < 0)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / 500),
        ("glorot_normal", 2 / 500),
        ("he_uniform", 2 / 200),
        ("he_normal", 2 / 200),
        ("random_normal", 0.05**2),
        ("random_uniform", 0.05**2 / 3),
    ],
)
def test_an_initializer_has_its_variance(name, variance, random):
    drawn = initializers.get("kernel_initializer", name).values(
        (200, 300), random.random, random.standard_normal
    )
    assert drawn.shape == (200, 300)
    assert drawn.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.03)
