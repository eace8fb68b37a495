import numpy as np
from fastnn import _core


def test_multiply_adds_count_two_operations_a_lane_and_settle_at_two(isa):
    operations, total = _core.kernels.multiply_adds(isa, 100)
    per_round, lanes = operations / 100, np.float32(total) / 2
    assert per_round == 2 * lanes  # x = x / 2 + 1 ends at 2 in every lane of every chain


def test_multiply_adds_grow_with_the_rounds(isa):
    once, twice = (_core.kernels.multiply_adds(isa, n)[0] for n in (50, 100))
    assert twice == 2 * once > 0
