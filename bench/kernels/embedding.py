"""Rows of tables: gather, sort of ids, sums of gradients per row; 8,192 ids, 64 dimensions."""

import numpy as np
import pytest
from fastnn import _core

N_ROWS, WIDTH, N_IDS = 6_040, 64, 8_192
RNG = np.random.default_rng(0)
TABLE = RNG.random((N_ROWS, WIDTH), dtype=np.float32)
IDS = RNG.integers(0, N_ROWS, N_IDS).astype(np.int32)
DY = RNG.random((N_IDS, WIDTH), dtype=np.float32)


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_embedding_forward(benchmark, isa):
    benchmark(_core.kernels.embedding_forward, isa, TABLE, IDS)


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_sort_ids(benchmark, isa):
    benchmark(_core.kernels.sort_ids, isa, IDS, N_ROWS)


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_embedding_sums(benchmark, isa):
    order, _, starts = _core.kernels.sort_ids(isa, IDS, N_ROWS)
    benchmark(_core.kernels.embedding_sums, isa, starts, order, DY)
