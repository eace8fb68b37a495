"""What an engine may be asked for beside its graph: bfloat16 factors, a way to convolve, bytes."""

import numpy as np
import pytest
from fastnn.graph import Node, Spec
from fastnn.reference import Engine
from fastnn.reference.conv import conv_backward_inputs, conv_backward_weights, conv_forward
from fastnn.reference.dense import round_to_bfloat16
from fastnn.reference.window import Window

from tests import cases, tolerance

CASES = {case.name: case for case in cases.CASES}
HALF = 2.0**-8  # half the distance of two bfloat16 numbers in [1, 2)


def node(kind, name, *inputs, **config):
    return Node(kind, name, inputs, config)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (1 + HALF, 1.0),
        (1 + HALF * 1.001, 1 + 2 * HALF),
        (1 + 3 * HALF, 1 + 4 * HALF),
        (-1 - 2.9 * HALF, -1 - 2 * HALF),
        (2 - HALF / 2, 2.0),
        (3.4e38, np.inf),
        (-np.inf, -np.inf),
    ],
)
def test_bfloat16_is_the_nearest_with_ties_to_even(x, expected):
    assert round_to_bfloat16(np.array([x], np.float32)).tolist() == [expected]


def test_bfloat16_keeps_nan_and_the_sign_of_zero():
    x = np.array([np.nan, -0.0], np.float32)
    x[0:1].view(np.uint32)[:] = 0x7FFFFFFF
    rounded = round_to_bfloat16(x)
    assert np.isnan(rounded[0])
    assert np.signbit(rounded[1])


def test_bfloat16_equals_torch(random):
    torch = pytest.importorskip("torch")
    x = (random.normal(size=1000) * 10.0 ** random.integers(-30, 30, 1000)).astype(np.float32)
    expected = torch.tensor(x).to(torch.bfloat16).to(torch.float32).numpy()
    assert round_to_bfloat16(x).tobytes() == expected.tobytes()


def bf16(kind, shape, random, **config):
    """Return an engine of one layer, its parameters by name, and a batch."""
    engine = Engine(
        [node("input", "x", shape=shape), node(kind, "y", 0, **config)], [1], "float32",
        precision="bf16",
    )  # fmt: skip
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    for name, size in engine.parameters():
        engine.set(name, random.normal(size=size).astype(np.float32))
    x = random.normal(size=(4, *shape)).astype(np.float32)
    return engine, engine.get("y/kernel"), engine.get("y/bias"), x


def test_dense_products_take_bfloat16_factors_in_every_pass(random):
    """The bias, its gradient and the loss stay float32."""
    engine, w, b, x = bf16("dense", (7,), random, units=5)
    y = engine.predict([x], 4)[0]
    rounded = round_to_bfloat16
    assert tolerance.close(y, rounded(x) @ rounded(w) + b, 1e-6)
    _, found = engine.gradients([x], [np.zeros_like(y)], None)
    dy = 2 * y / y.size
    assert tolerance.close(found["y/kernel"], rounded(x).T @ rounded(dy), 1e-6)
    assert tolerance.close(found["y/bias"], dy.sum(axis=0), 1e-6)


def test_convolutions_take_bfloat16_factors_in_every_pass(random):
    engine, w, b, x = bf16("conv2d", (5, 4, 3), random, filters=2, kernel_size=(3, 2))
    window, rounded = Window(5, 4, 3, 2), round_to_bfloat16
    y = engine.predict([x], 4)[0]
    assert tolerance.close(y, conv_forward(rounded(x), rounded(w), b, window), 1e-6)
    _, found = engine.gradients([x], [np.zeros_like(y)], None)
    dy = 2 * y / y.size
    expected = conv_backward_weights(rounded(x), rounded(dy), window)
    assert tolerance.close(found["y/kernel"], expected, 1e-6)


def test_gradients_of_inputs_take_bfloat16_factors(random):
    """dx of the second layer is db of the first."""
    nodes = [
        node("input", "x", shape=(4, 4, 1)),
        node("conv2d", "a", 0, filters=2, kernel_size=(1, 1)),
        node("conv2d", "b", 1, filters=3, kernel_size=(3, 3)),
    ]
    engine = Engine(nodes, [2], "float32", precision="bf16")
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    w = random.normal(size=(3, 3, 2, 3)).astype(np.float32)
    engine.set("a/bias", np.ones(2))
    engine.set("b/kernel", w)
    x = np.zeros((2, 4, 4, 1), np.float32)
    y = engine.predict([x], 2)[0]
    _, found = engine.gradients([x], [np.zeros_like(y)], None)
    dy = round_to_bfloat16(2 * y / y.size)
    dx = conv_backward_inputs(dy, round_to_bfloat16(w), Window(4, 4, 3, 3))
    assert tolerance.close(found["a/bias"], dx.sum(axis=(0, 1, 2)), 1e-6)


@pytest.mark.parametrize("name", ["wide, with a frozen layer", "images: wide convolutions"])
def test_training_in_bfloat16_follows_float32(name):
    case = CASES[name]
    found = []
    for precision in ("float32", "bf16"):
        engine = Engine(case.nodes, case.outputs, "float32", precision=precision)
        cases.prepare(engine, case, "float32")
        found.append(cases.train(engine, case, 8, dtype="float32")[-1]["loss"])
    assert found[0] != found[1]
    assert found[1] == pytest.approx(found[0], rel=0.02)


@pytest.mark.parametrize("convolution", ["auto", "direct", "winograd"])
def test_the_reference_convolves_one_way(convolution):
    case = CASES["images: wide convolutions"]
    inputs, _, _ = cases.data(case)
    plain, asked = (Engine(case.nodes, case.outputs, "float64", c) for c in ("auto", convolution))
    assert plain.predict(inputs, 8)[0].tobytes() == asked.predict(inputs, 8)[0].tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"convolution": "fft"}, "convolution: expected one of auto, direct, winograd, got fft"),
        ({"precision": "float16"}, "precision: expected float32 or bf16, got float16"),
        (
            {"precision": "bf16", "dtype": "float64"},
            "precision: expected float32 for dtype float64, got bf16",
        ),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Engine([node("input", "x", shape=(1,))], [0], **options)


def test_bytes_are_numbers_of_the_same_value(random):
    case = CASES["images: conv, pool, dropout, dense"]
    inputs, targets, weights = cases.data(case)
    images = random.integers(0, 256, inputs[0].shape, dtype=np.uint8)
    results = []
    for x in (images, images.astype(np.float64)):
        engine = cases.compiled(Engine, case)
        found = engine.train([x], targets, weights, 8, True, 1, 0, 0, [0.001] * 4)
        results.append([
            found, engine.evaluate([x], targets, weights, 8), engine.predict([x], 8)[0].tolist(),
            engine.gradients([x], targets, weights)[0],
        ])  # fmt: skip
    assert results[0] == results[1]
