"""Small problems and models on every engine that this installation has."""

from importlib.util import find_spec

import numpy as np
import pytest
from fastnn import Input, Model, Sequential, layers

BACKENDS = ["numpy", "core"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "core" and find_spec("fastnn._core") is None:
        pytest.skip("the core is not built")
    return request.param


@pytest.fixture
def table(random):
    """Rows (90, 4) and what a plane gives for them (90, 1)."""
    x = random.normal(size=(90, 4)).astype(np.float32)
    return x, x @ np.array([[1.0], [-2.0], [0.5], [0.0]], np.float32) + 0.3


@pytest.fixture
def chain(backend):
    """Return a maker of small compiled chains."""

    def make(optimizer="adam", loss="mse", **settings):
        stack = [layers.Dense(6, activation="tanh"), layers.Dropout(0.2), layers.Dense(1)]
        model = Sequential(stack, **{"backend": backend, "seed": 5, **settings})
        return model.compile(optimizer, loss)

    return make


@pytest.fixture
def towers(backend):
    """Return a compiled model of two ids and numbers, with two outputs."""
    user = Input(dtype="int32", name="user")
    item = Input((2,), dtype="int32", name="item")
    age = Input(1, name="age")
    vector = layers.Embedding(7, 3)(user)
    bag = layers.EmbeddingBag(9, 3, mode="sum")(item)
    score = layers.Dot(name="score")(vector, bag)
    joined = layers.Concatenate()([vector, bag, age])
    kind = layers.Dense(4, activation="softmax", name="kind")(joined)
    model = Model([user, item, age], [score, kind], backend=backend, seed=1)
    losses = {"score": "mse", "kind": "categorical_crossentropy"}
    return model.compile("adagrad", losses, metrics={"score": ["mae"], "kind": "accuracy"})


@pytest.fixture
def visits(random):
    """Arrays for `towers`."""
    x = {
        "user": random.integers(0, 7, 50),
        "item": random.integers(0, 9, (50, 2)),
        "age": random.normal(size=50),
    }
    return x, {"score": random.normal(size=50), "kind": random.integers(0, 4, 50)}


def same(a, b):
    """Tell whether two models hold the same bits."""
    pairs = zip(a.get_weights(), b.get_weights(), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.fixture
def pictures(random):
    """Images (30, 9, 8, 2) of uint8, and labels of 3 classes."""
    images = random.integers(0, 256, (30, 9, 8, 2), dtype=np.uint8)
    return images, random.integers(0, 3, 30)


@pytest.fixture
def conv_net(backend):
    """Return a maker of small compiled networks on images that know no shape yet."""

    def make(**settings):
        stack = [
            layers.Rescaling(1 / 255),
            layers.RandomTranslation(1, 1),
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.Activation("relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(6, (3, 2), activation="gelu"),
            layers.SpatialDropout2D(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, "softmax"),
        ]
        model = Sequential(stack, **{"backend": backend, "seed": 3, **settings})
        return model.compile("adam", "categorical_crossentropy", metrics="accuracy")

    return make
