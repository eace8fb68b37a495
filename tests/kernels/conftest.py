"""Every test of kernels runs for each instruction set of the machine, in both types."""

import numpy as np
import pytest

_core = pytest.importorskip("fastnn._core", reason="the core is not built")


@pytest.fixture(params=_core.instruction_sets())
def isa(request):
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param
