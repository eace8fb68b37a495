"""The three dense products at the shapes of the workloads; GFLOP/s in the extra information."""

import numpy as np
import pytest
from fastnn import _core

PRODUCTS = ("dense_forward", "dense_backward_inputs", "dense_backward_weights")
SHAPES = (
    *((1, 784, 256), (16, 64, 64), (16, 784, 256), (16, 256, 128), (64, 8, 64), (64, 64, 64)),
    *((64, 784, 256), (64, 256, 128), (64, 128, 10), (64, 256, 32), (64, 32, 256)),
    *((64, 256, 784), (64, 784, 100), (512, 784, 256), (64, 1024, 1024)),
)


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
@pytest.mark.parametrize("product", PRODUCTS)
def test_dense(benchmark, product, m, k, n, isa):
    rng = np.random.default_rng(0)
    x, w, dy = (rng.random(s, dtype=np.float32) for s in ((m, k), (k, n), (m, n)))
    arguments = {
        "dense_forward": (x, w, np.zeros(n, np.float32)),
        "dense_backward_inputs": (dy, w),
        "dense_backward_weights": (x, dy),
    }
    benchmark(getattr(_core.kernels, product), isa, *arguments[product])
    if benchmark.enabled:
        benchmark.extra_info["gflops"] = 2e-9 * m * k * n / benchmark.stats["min"]
