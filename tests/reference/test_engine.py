import numpy as np
import pytest
from fastnn.graph import Node, Spec
from fastnn.reference import Engine

from tests import cases, tolerance
from tests.reference.differences import numeric_gradient

CASES = {case.name: case for case in cases.CASES}


def node(kind, name, *inputs, **config):
    return Node(kind, name, inputs, config)


@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_gradients_equal_central_differences(case):
    engine = cases.compiled(Engine, case)
    inputs, targets, weights = cases.data(case, n_rows=4)
    loss, found = engine.gradients(inputs, targets, weights)
    assert np.isfinite(loss)
    for name, g in found.items():
        w = engine.get(name)
        places = [np.unravel_index(i, w.shape) for i in range(0, w.size, 1 + w.size // 25)]

        expected = [slope(engine, name, w, place, (inputs, targets, weights)) for place in places]
        got = [g[place] for place in places]
        scale = max(np.abs(g).max(), 1e-2 * loss)
        assert np.abs(np.subtract(got, expected)).max() <= tolerance.DIFFERENCES * scale, name


def slope(engine, name, w, place, rows):
    """Central difference of the loss along one element of a parameter, which is put back."""

    def value():
        engine.set(name, w)
        return engine.gradients(*rows)[0]

    found = numeric_gradient(value, w[tuple(slice(i, i + 1) for i in place)]).item()
    engine.set(name, w)
    return found


def test_float32_follows_float64():
    case = CASES["several inputs and outputs"]
    engines = {dtype: cases.compiled(Engine, case, dtype) for dtype in ("float32", "float64")}
    for dtype, engine in engines.items():
        cases.train(engine, case, 20, dtype=dtype)
    for name, _ in engines["float64"].parameters():
        w = engines["float32"].get(name)
        assert w.dtype == np.float32
        assert tolerance.close(w, engines["float64"].get(name), tolerance.steps("float32", 20))


def test_l1_of_a_model_zeroes_what_does_not_matter(random):
    x = random.normal(size=(200, 8))
    nodes = [node("input", "x", shape=(8,)), node("dense", "y", 0, units=1, kernel_l1=0.3)]
    engine = Engine(nodes, [1])
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    for epoch in range(100):
        y = x[:, :3].sum(axis=1, keepdims=True)
        engine.train([x], [y], None, 200, False, 0, epoch, 0, [0.1], 1, None)
    assert (engine.get("y/kernel").ravel() != 0).tolist() == [True] * 3 + [False] * 5


def test_poll_interrupts_between_steps():
    engine = Engine([node("input", "x", shape=(1,)), node("dense", "y", 0, units=1)], [1])
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    ones, answers = np.ones((5, 1)), iter([False, False, True])
    result = engine.train(
        [ones], [ones], None, 1, False, 0, 0, 0, [0.1] * 5, 1, lambda: next(answers)
    )
    assert (result["steps"], result["interrupted"], result["n_examples"]) == (2, True, 2)


def test_an_unknown_setting_of_a_node_says_which():
    nodes = [node("input", "x", shape=(1,)), node("dense", "h", 0, units=1, unit=3)]
    with pytest.raises(ValueError, match=r"h: expected one of .*units.*, got unit"):
        Engine(nodes, [1])


def test_an_unknown_setting_of_an_optimizer_says_which():
    nodes = [node("input", "x", shape=(1,))]
    with pytest.raises(ValueError, match=r"optimizer sgd: expected one of .*, got rho"):
        Engine(nodes, [0]).compile([Spec("huber")], [1.0], Spec("sgd", {"rho": 0.9}), [[]])
