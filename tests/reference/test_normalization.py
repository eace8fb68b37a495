"""Normalisation against PyTorch, and whose statistics are used when."""

import numpy as np
import pytest
from fastnn.graph import Node, Spec
from fastnn.reference import Engine
from fastnn.reference.layer import Run
from fastnn.reference.plan import plan

from tests import tolerance

MOMENTUM, EPSILON = 0.9, 1e-3


def node(kind, name, *inputs, **config):
    return Node(kind, name, inputs, config)


def planned(kind, shape, random, **config):
    """Return a layer of float32 with random parameters."""
    nodes = [node("input", "x", shape=shape), node(kind, "y", 0, **config)]
    layer = plan(nodes, np.dtype("float32"))[0][-1]
    for name, w in layer.parameters.items():
        w[...] = (
            random.uniform(0.5, 2, w.shape) if "variance" in name else random.normal(size=w.shape)
        )
    return layer


def passed(layer, x, dy, run):
    y, saved = layer.forward([x], run)
    (dx,), gradients = layer.backward(saved, dy, run)
    layer.follow(saved)
    return {"y": y, "x": dx, **gradients}


@pytest.mark.parametrize("of_batch", [True, False])
def test_batch_normalization_equals_torch(of_batch, random):
    """PyTorch's moving variance takes the unbiased one: n / (n - 1) of ours, and 1 - momentum."""
    torch = pytest.importorskip("torch")
    layer = planned("batch_normalization", (4, 5, 3), random, momentum=MOMENTUM, epsilon=EPSILON)
    x, dy = (random.normal(size=(6, 4, 5, 3)).astype(np.float32) for _ in range(2))
    tensors = {
        name: torch.tensor(array.copy(), requires_grad="moving" not in name)
        for name, array in {**layer.parameters, "x": x.reshape(-1, 3)}.items()
    }
    before = layer.parameters["moving_variance"].copy()
    expected = torch.nn.functional.batch_norm(
        tensors["x"],
        *(tensors[name] for name in ("moving_mean", "moving_variance", "gamma", "beta")),
        of_batch,
        1 - MOMENTUM,
        EPSILON,
    )
    expected.backward(torch.tensor(dy.reshape(-1, 3)))
    found = passed(layer, x, dy, Run(6, batch_statistics=of_batch))
    wanted = {"y": expected.detach(), **{n: t.grad for n, t in tensors.items() if t.requires_grad}}
    for name, array in wanted.items():
        got = found[name].reshape(array.shape)
        assert tolerance.close(got, array.numpy(), tolerance.PARITY), name
    moving, variance = tensors["moving_mean"], tensors["moving_variance"].numpy()
    biased = before * MOMENTUM + (variance - before * MOMENTUM) * (119 / 120 if of_batch else 1)
    assert tolerance.close(layer.parameters["moving_mean"], moving.numpy(), tolerance.PARITY)
    assert tolerance.close(layer.parameters["moving_variance"], biased, tolerance.PARITY)


def test_layer_normalization_equals_torch(random):
    torch = pytest.importorskip("torch")
    layer = planned("layer_normalization", (4, 7), random, epsilon=EPSILON)
    x, dy = (random.normal(size=(6, 4, 7)).astype(np.float32) for _ in range(2))
    given = {**layer.parameters, "x": x}
    tensors = {n: torch.tensor(array, requires_grad=True) for n, array in given.items()}
    expected = torch.nn.functional.layer_norm(
        tensors["x"], (7,), tensors["gamma"], tensors["beta"], EPSILON
    )
    expected.backward(torch.tensor(dy))
    found = passed(layer, x, dy, Run(6))
    for name, array in {"y": expected.detach(), **{n: t.grad for n, t in tensors.items()}}.items():
        assert tolerance.close(found[name], array.numpy(), tolerance.PARITY), name


@pytest.fixture
def engine():
    """Return a maker of compiled engines: one batch normalization of three channels."""

    def make(optimizer="sgd", **config):
        nodes = [node("input", "x", shape=(3,)), node("batch_normalization", "n", 0, **config)]
        engine = Engine(nodes, [1])
        engine.set("n/gamma", np.ones(3))
        engine.set("n/moving_variance", np.ones(3))
        engine.compile([Spec("mean_squared_error")], [1.0], Spec(optimizer), [[]])
        return engine

    return make


def train(engine, x, rates, y=None, weights=None, size=10, first=0):
    y = np.zeros_like(x) if y is None else y
    return engine.train([x], [y], weights, size, False, 0, 0, first, rates, 1, None)


def moving(engine):
    return [engine.get(f"n/{name}") for name in ("moving_mean", "moving_variance")]


def test_moving_statistics_after_fifty_batches(engine, random):
    """0.9^50 first + sum over batches k of 0.1 0.9^(49 - k) (mean or variance of batch k)."""
    x = random.normal(3, 2, size=(500, 3))
    made = engine(momentum=MOMENTUM)
    train(made, x, [0.01] * 50)
    batches = x.reshape(50, 10, 3)
    shares = 0.1 * 0.9 ** np.arange(49, -1, -1)
    for found, first, values in zip(
        moving(made), (0, 1), (batches.mean(axis=1), batches.var(axis=1)), strict=True
    ):
        assert found == pytest.approx(0.9**50 * first + shares @ values, rel=1e-12)


def test_rows_count_alike_whatever_their_weights(engine, random):
    x = random.normal(size=(10, 3))
    made = engine(momentum=0.0)
    train(made, x, [0.1], weights=np.arange(10.0))
    assert moving(made)[0] == pytest.approx(x.mean(axis=0))


def test_training_uses_the_batch_and_predicting_the_moving_statistics(engine, random):
    x = random.normal(5, 3, size=(10, 3))
    made = engine(momentum=0.5, epsilon=0.0)
    assert made.predict([x], 10)[0] == pytest.approx(x)
    loss = train(made, x, [0.0])["loss"]
    assert loss == pytest.approx(1)
    assert made.gradients([x], [np.zeros_like(x)], None)[0] == pytest.approx(1)
    mean, variance = moving(made)
    assert made.predict([x], 10)[0] == pytest.approx((x - mean) / np.sqrt(variance))
    assert made.evaluate([x], [np.zeros_like(x)], None, 10)["loss"] != pytest.approx(1)


@pytest.mark.parametrize(
    ("y", "weights", "config"),
    [
        (np.full((10, 3), 1e200), None, {}),
        (None, np.zeros(10), {}),
        (None, None, {"trainable": 0}),
        (None, None, {"momentum": 1.0}),
    ],
    ids=["diverged", "without weight", "frozen", "momentum 1"],
)
def test_what_moves_no_statistics(engine, y, weights, config, random):
    made = engine(**config)
    train(made, random.normal(5, 3, size=(10, 3)), [0.1], y, weights)
    assert [w.tolist() for w in moving(made)] == [[0] * 3, [1] * 3]


def test_gradients_move_nothing(engine, random):
    made, x = engine(), random.normal(5, 3, size=(10, 3))
    made.gradients([x], [np.zeros_like(x)], None)
    made.evaluate([x], [np.zeros_like(x)], None, 10)
    assert [w.tolist() for w in moving(made)] == [[0] * 3, [1] * 3]


def test_a_frozen_layer_trains_with_its_moving_statistics(engine, random):
    made, x = engine(trainable=0, epsilon=0.0), random.normal(5, 3, size=(10, 3))
    assert train(made, x, [0.1])["loss"] == pytest.approx(np.square(x).mean())


def test_statistics_are_parameters_without_slots_and_gradients(engine, random):
    made, x = engine("adam"), random.normal(size=(10, 3))
    names = ["n/gamma", "n/beta", "n/moving_mean", "n/moving_variance"]
    assert [name for name, _ in made.parameters()] == names
    assert {name.split(":")[0] for name in made.state()} == {"n/gamma", "n/beta", "step"}
    assert sorted(made.gradients([x], [x], None)[1]) == ["n/beta", "n/gamma"]


def test_one_row_predicts_and_trains_finitely(engine, random):
    made, x = engine(), random.normal(size=(1, 3))
    assert np.isfinite(made.predict([x], 1)[0]).all()
    assert train(made, x, [0.1], size=1)["loss"] == 0
    assert moving(made)[1] == pytest.approx(np.full(3, 0.99))
    assert np.isfinite(made.predict([x], 1)[0]).all()
