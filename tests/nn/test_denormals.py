import numpy as np
import pytest
from fastnn.graph import Node, Spec

_core = pytest.importorskip("fastnn._core", reason="the core is not built")


def test_an_average_that_decays_ends_at_zero():
    """0.9^1100 is no float32; with denormals it would stay at some 1e-44 for good, and be slow."""
    nodes = [Node("input", "x", (), {"shape": (1,)}), Node("dense", "y", (0,), {"units": 1})]
    engine = _core.Engine(nodes, [1], "float32")
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd", {"momentum": 0.9}), [[]])
    x, y = np.zeros((1101, 1), np.float32), np.zeros((1101, 1), np.float32)
    x[0] = y[0] = 1
    engine.train([x], [y], None, 1, False, 0, 0, 0, [0.001], 1, None)
    assert engine.state()["y/kernel:momentum"] != 0
    engine.train([x], [y], None, 1, False, 0, 0, 1, [0.001] * 1100, 1, None)
    assert engine.state()["y/kernel:momentum"] == 0


def test_denormals_exist_again_after_training():
    tiny = np.float32(1e-40)
    test_an_average_that_decays_ends_at_zero()
    assert tiny * np.float32(0.5) > 0
