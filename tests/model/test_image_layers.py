"""Layers on images: what they refuse, how they print, what they become, and the sizes of files."""

import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
from fastnn import Input, graph, initializers, layers, sizes
from fastnn.description import Description
from fastnn.reference import Engine

from tests.image_cases import IMAGE_LAYERS

L: Any = layers
REFUSED = [
    (lambda: L.Conv2D(0, 3), ValueError, "filters: expected an integer >= 1, got 0"),
    (lambda: L.Conv2D(4, 0), ValueError, "kernel_size: expected an integer >= 1, got 0"),
    (lambda: L.Conv2D(4, 2.5), TypeError, "kernel_size: expected an integer >= 1, got float"),
    (lambda: L.Conv2D(4, (3, 3, 3)), ValueError, "kernel_size: expected one number or 2, got (3,"),
    (lambda: L.Conv1D(4, (3, 3)), ValueError, "kernel_size: expected one number, got (3, 3)"),
    (lambda: L.Conv2D(4, 2**31), ValueError, "kernel_size: expected at most 2147483647, got 2147"),
    (lambda: L.Conv2D(4, 3, 0), ValueError, "strides: expected an integer >= 1, got 0"),
    (lambda: L.Conv2D(4, 3, 1, "full"), ValueError, "padding: expected one of valid, same, got"),
    (lambda: L.Conv2D(4, 3, 1, -1), ValueError, "padding: expected an integer >= 0, got -1"),
    (lambda: L.Conv2D(4, 3, 1, None), TypeError, "padding: expected an integer >= 0, got None"),
    (lambda: L.Conv2D(4, 3, 1, (1, 2, 3, 4)), ValueError, "padding: expected a number, (rows, col"),
    (lambda: L.Conv2D(4, 3, 1, ((1, 2, 3), 1)), ValueError, "padding: expected one number or 2"),
    (lambda: L.Conv2D(4, 3, dilation_rate=0), ValueError, "dilation_rate: expected an integer >="),
    (lambda: L.Conv2D(4, 3, groups=3), ValueError, "groups: expected a divisor of 4 filters, got"),
    (
        lambda: L.Conv2D(4, 3, activation="swish"),
        ValueError,
        "activation: expected one of identity",
    ),
    (lambda: L.Conv2D(4, 3, use_bias=0), TypeError, "use_bias: expected True or False, got int"),
    (lambda: L.Conv2D(4, 3, kernel_initializer="x"), ValueError, "kernel_initializer: expected an"),
    (lambda: L.Conv2D(4, 3, bias_regularizer=1), TypeError, "bias_regularizer: expected a Regul"),
    (lambda: L.MaxPooling2D(0), ValueError, "pool_size: expected an integer >= 1, got 0"),
    (lambda: L.MaxPooling2D(2, 0), ValueError, "strides: expected an integer >= 1, got 0"),
    (lambda: L.MaxPooling2D(2, padding=2), ValueError, "padding: expected less than pool_size (2,"),
    (lambda: L.AveragePooling2D((3, 1), padding=((2, 2), (0, 1))), ValueError, "padding: expected"),
    (lambda: L.ZeroPadding2D("same"), TypeError, "padding: expected an integer >= 0, got str"),
    (lambda: L.BatchNormalization(momentum=2), ValueError, "momentum: expected a number in [0, 1]"),
    (lambda: L.BatchNormalization(epsilon=0), ValueError, "epsilon: expected a finite number > 0"),
    (lambda: L.BatchNormalization(center=None), TypeError, "center: expected True or False, got"),
    (
        lambda: L.BatchNormalization(moving_mean_initializer="x"),
        ValueError,
        "moving_mean_initializer: expected an Initializer or one of zeros",
    ),
    (lambda: L.LayerNormalization(gamma_regularizer=2), TypeError, "gamma_regularizer: expected"),
    (lambda: L.SpatialDropout2D(2), ValueError, "rate: expected a number in [0, 1], got 2"),
    (lambda: L.RandomFlip("diagonal"), ValueError, "mode: expected one of horizontal, vertical, b"),
    (lambda: L.RandomTranslation(0.1, 0.1), TypeError, "height: expected an integer >= 0, got flo"),
    (lambda: L.RandomTranslation(1, 1, "wrap"), ValueError, "fill: expected one of constant, near"),
    (lambda: L.RandomCrop(0, 1), ValueError, "height: expected an integer >= 1, got 0"),
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED)
def test_a_bad_argument_is_named(make, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()


PRINTED = {
    "Conv2D(filters=8, kernel_size=3)": L.Conv2D(8, (3, 3), (1, 1), groups=1),
    "Conv2D(filters=8, kernel_size=(3, 5), strides=2, padding='same', activation='relu')": L.Conv2D(
        8, [3, 5], 2, "same", activation="relu"
    ),
    "Conv2D(filters=8, kernel_size=3, padding=((0, 1), (2, 2)))": L.Conv2D(
        8, 3, padding=[(0, 1), 2]
    ),
    "Conv2D(filters=8, kernel_size=3, padding=(1, 2))": L.Conv2D(8, 3, padding=((1, 1), 2)),
    "Conv1D(filters=8, kernel_size=3, padding=(2, 0))": L.Conv1D(8, (3,), padding=[2, 0]),
    "Conv1D(filters=8, kernel_size=3, padding=2)": L.Conv1D(8, 3, padding=(2, 2)),
    "MaxPooling2D()": L.MaxPooling2D((2, 2)),
    "AveragePooling2D(pool_size=(2, 1), strides=3)": L.AveragePooling2D((2, 1), (3, 3)),
    "ZeroPadding2D()": L.ZeroPadding2D(((1, 1), (1, 1))),
    "BatchNormalization(scale=False, momentum=0.9)": L.BatchNormalization(
        momentum=0.9, scale=False
    ),
    "LayerNormalization(epsilon=1e-05)": L.LayerNormalization(epsilon=1e-5),
    "GlobalMaxPooling2D(name='top')": L.GlobalMaxPooling2D(name="top"),
    "RandomTranslation(height=2, width=0)": L.RandomTranslation(2, np.int64(0)),
    "RandomCrop(height=2, width=3)": L.RandomCrop(2, 3),
    "RandomFlip()": L.RandomFlip("horizontal"),
    "SpatialDropout2D(rate=0.5)": L.SpatialDropout2D(0.5),
}


@pytest.mark.parametrize("printed", PRINTED)
def test_a_layer_prints_shortly_and_comes_back(printed):
    layer = PRINTED[printed]
    assert repr(layer) == printed
    config = json.loads(json.dumps(layer.to_config()))
    assert Description.from_config(config) == layer
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert hash(layer) == hash(eval(repr(layer), vars(layers)))


NAMED = [getattr(L, name) for name in layers.__all__]
KINDS = {cls.stem(): cls for cls in NAMED if hasattr(cls, "stem")}


def described(case):
    """Return the description of a case's node, penalties left out."""
    config = {key: value for key, value in case.config.items() if not key.endswith(("_l1", "_l2"))}
    for flag in {"use_bias", "center", "scale", "trainable"} & {*config}:
        config[flag] = bool(config[flag])
    padding = config.get("padding")
    if isinstance(padding, tuple) and len(padding) == 4:
        config["padding"] = padding[:2], padding[2:]
    return KINDS[case.kind](**config)


@pytest.mark.parametrize("case", IMAGE_LAYERS, ids=lambda case: case.name)
def test_a_layer_becomes_its_node_and_the_sizes_of_an_engine(case):
    x = Input(case.shapes[0])
    nodes, outputs = graph.lower([x], [described(case)(x)])
    expected = {key: value for key, value in case.config.items() if not key.endswith(("l1", "l2"))}
    assert {key: nodes[1].config[key] for key in expected} == expected
    engine = Engine(nodes, outputs)
    row, parameters = sizes.node_sizes(nodes[1], case.shapes)
    assert row == engine.shapes()[1]
    assert [(f"{nodes[1].name}/{key}", size) for key, size in parameters.items()] == (
        engine.parameters()
    )
    assert list(described(case).initializers()) == list(parameters)


def test_a_convolution_lowers_as_a_dense_layer_does():
    x = Input((6, 5, 4), name="x")
    settings = {"activity_regularizer": "l1", "kernel_regularizer": "l2", "trainable": False}
    nodes, _ = graph.lower([x], [L.Conv2D(8, 3, activation="gelu", groups=2, **settings)(x)])
    assert [(node.kind, node.name) for node in nodes[1:]] == [
        ("conv2d", "conv2d"),
        ("activation", "conv2d/activation"),
        ("activity_regularization", "conv2d/activity_regularization"),
    ]
    assert nodes[1].config == {
        "filters": 8,
        "kernel_size": (3, 3),
        "strides": (1, 1),
        "padding": "valid",
        "dilation_rate": (1, 1),
        "groups": 2,
        "activation": "identity",
        "use_bias": 1,
        "kernel_l1": 0,
        "kernel_l2": 0.01,
        "bias_l1": 0,
        "bias_l2": 0,
        "trainable": 0,
    }


@pytest.mark.parametrize(
    ("layer", "row", "message"),
    [
        (L.Conv2D(4, 3), (8, 8), "conv2d: expected images of shape (h, w, channels), got shape (8"),
        (L.Conv1D(4, 3), (8,), "conv1d: expected sequences of shape (length, channels), got shape"),
        (L.Conv2D(4, 3), (2, 8, 1), "conv2d: expected a window inside rows of shape (2, 8) with"),
        (L.MaxPooling2D(9), (8, 8, 1), "max_pooling2d: expected a window inside rows of shape (8"),
        (L.ZeroPadding2D(2**30), (1, 1, 1), "zero_padding2d: expected rows of at most 1099511627"),
        (L.GlobalMaxPooling2D(), (4,), "global_max_pooling2d: expected images of shape (h, w, ch"),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(layer, row, message):
    x = Input(row)
    nodes, _ = graph.lower([x], [layer(x)])
    with pytest.raises(ValueError, match=re.escape(message)):
        sizes.check_sizes(nodes, {})


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / (9 * (20 + 60))),
        ("glorot_normal", 2 / (9 * (20 + 60))),
        ("he_uniform", 2 / (9 * 20)),
        ("he_normal", 2 / (9 * 20)),
    ],
)
def test_the_pixels_of_a_kernel_count_as_inputs(name, variance, random):
    drawn = initializers.get("kernel_initializer", name).values(
        (3, 3, 20, 60), random.random, random.standard_normal
    )
    assert drawn.shape == (3, 3, 20, 60)
    assert drawn.var() == pytest.approx(variance, rel=0.05)
