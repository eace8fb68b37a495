import numpy as np
import pytest
from fastnn.reference import rng


@pytest.mark.parametrize(
    ("counter", "seed", "words"),
    [
        ("00000000 00000000 00000000 00000000", 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            0x299F31D0A4093822,
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, seed, words):
    counter = np.array([int(word, 16) for word in counter.split()], np.uint64)
    assert [f"{word:08x}" for word in rng.philox(counter, seed)] == words.split()


@pytest.mark.parametrize("n", [*range(70), 127, 128, 129, 1000, 4097, 100_000])
def test_order_is_a_permutation(n):
    assert np.array_equal(np.sort(rng.epoch_order(9, 2, n)), np.arange(n))


def test_order_depends_on_seed_and_epoch():
    orders = [rng.epoch_order(seed, epoch, 50) for seed in (1, 2, 2**32 + 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == len(orders)


def test_order_leaves_few_rows_in_place():
    """A random permutation leaves one row in place, give or take one."""
    fixed = [(rng.epoch_order(seed, 0, 1000) == np.arange(1000)).sum() for seed in range(100)]
    assert abs(np.mean(fixed) - 1) < 0.4


def test_order_does_not_favour_a_row():
    """The first row of an epoch is each of 10 with a share of 1/10, within 4 deviations."""
    first = [rng.epoch_order(3, epoch, 10)[0] for epoch in range(2000)]
    counts = np.bincount(first, minlength=10)
    assert np.abs(counts - 200).max() < 4 * np.sqrt(200 * 0.9)


def test_uniform_numbers_fill_their_range():
    u = rng.uniform(5, 0, 100_001)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 4 / np.sqrt(12 * len(u))
    assert np.array_equal(u, u.astype(np.float32))


def test_normal_numbers_have_mean_0_and_deviation_1():
    x = rng.normal(5, 0, 100_001)
    assert abs(x.mean()) < 4 / np.sqrt(len(x))
    assert abs(x.var() - 1) < 4 * np.sqrt(2 / len(x))
    assert abs((x**3).mean()) < 4 * np.sqrt(15 / len(x))
    assert 4 < x.max() < 5.9


def test_streams_differ_and_grow_at_the_end():
    assert not np.array_equal(rng.uniform(1, 0, 8), rng.uniform(1, 1, 8))
    assert np.array_equal(rng.normal(1, 3, 7), rng.normal(1, 3, 100)[:7])


def test_noise_of_a_row_depends_on_neither_the_batch_nor_the_width():
    small = rng.noise_uniform(1, 4, 9, 3, 5)
    large = rng.noise_uniform(1, 4, 9, 8, 11)
    assert np.array_equal(small, large[:3, :5])


@pytest.mark.parametrize(("seed", "node", "step"), [(2, 4, 9), (1, 5, 9), (1, 4, 10)])
def test_noise_differs_by_seed_node_and_step(seed, node, step):
    other = rng.noise_normal(seed, node, step, 2, 4)
    assert not np.array_equal(rng.noise_normal(1, 4, 9, 2, 4), other)
