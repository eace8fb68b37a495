"""Updates of 200,704 weights (784 x 256), bound by memory; GB/s in the extra information."""

import numpy as np
import pytest
from fastnn import _core

SLOTS = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
SETTINGS = {"rate": 1e-3, "decay_1": 0.9, "decay_2": 0.999, "epsilon": 1e-8}
SETTINGS |= {"correction_1": 10.0, "correction_2": 31.6}


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize("optimizer", _core.optimizers())
def test_update(benchmark, optimizer, isa):
    n_slots = SLOTS[optimizer]
    w, g, *slots = np.ones((2 + n_slots, 784 * 256), np.float32)
    unused = [None] * (3 - n_slots)
    benchmark(_core.kernels.update, isa, optimizer, SETTINGS, w, [*slots, *unused], g)
    if benchmark.enabled:
        moved = (3 + 2 * n_slots) * w.nbytes
        benchmark.extra_info["gb_per_second"] = 1e-9 * moved / benchmark.stats["min"]
