import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import rng

from tests.kernels.shapes import SHAPES, SIZES

kernels = _core.kernels
SEED = 0xFEDCBA9876543210
STEP = 12345
NODE = 3
STREAM = rng.NODES + 4 * NODE  # as docs/design.md, section 4, has it


@pytest.mark.parametrize("n", SIZES)
def test_uniform_numbers_equal_the_reference(isa, n):
    actual = kernels.random_uniform(isa, SEED, 5, n)
    assert actual.tobytes() == rng.uniform(SEED, 5, n).tobytes()


@pytest.mark.parametrize("n", SIZES)
def test_normal_numbers_equal_the_reference(isa, n):
    actual = kernels.random_normal(isa, SEED, 5, n)
    np.testing.assert_allclose(actual, rng.normal(SEED, 5, n), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "source", [_core.random_uniform, _core.random_normal, rng.uniform, rng.normal]
)
def test_numbers_drawn_in_pieces_are_those_drawn_at_once(source):
    whole = source(SEED, 5, 300)
    for first in (0, 4, 64, 100):
        assert source(SEED, 5, 130, first).tobytes() == whole[first : first + 130].tobytes()


@pytest.mark.parametrize("source", [_core.random_uniform, _core.random_normal])
@pytest.mark.parametrize("first", [-4, 3])
def test_pieces_begin_at_multiples_of_four(source, first):
    with pytest.raises(ValueError, match=f"first: expected a multiple of 4, got {first}"):
        source(SEED, 5, 8, first)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 63, 64, 65, 1000, 4096, 4097, 60_000])
def test_order_of_an_epoch_equals_the_reference(isa, n):
    order = kernels.epoch_order(isa, SEED, 7, n)
    assert order.tolist() == (rng.epoch_order(SEED, 7, n).tolist() if n else [])


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if 0 not in shape])
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout_keeps_what_the_reference_keeps(isa, dtype, shape, rate, random):
    x = random.normal(size=shape).astype(dtype)
    y = kernels.dropout(isa, x, rate, SEED, STEP, STREAM)
    kept = rng.noise_uniform(SEED, NODE, STEP, *shape) >= rate
    assert ((y != 0) == kept).all()
    expected = x.astype(np.float64) * kept / (1 - rate)
    np.testing.assert_allclose(y, expected, rtol=3e-7 if dtype == np.float32 else 1e-15)


def test_dropout_of_everything_gives_zeros(isa, dtype):
    assert not kernels.dropout(isa, np.ones((3, 19), dtype), 1.0, SEED, STEP, STREAM).any()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if 0 not in shape])
def test_noise_equals_the_reference(isa, dtype, shape, random):
    x = random.normal(size=shape).astype(dtype)
    y = kernels.gaussian_noise(isa, x, 0.5, SEED, STEP, STREAM)
    expected = x + 0.5 * rng.noise_normal(SEED, NODE, STEP, *shape)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("kernel", [kernels.dropout, kernels.gaussian_noise])
@pytest.mark.parametrize("n", [1, 10, 64, 67])
def test_rows_may_be_cut_anywhere(isa, dtype, kernel, n, random):
    x = random.normal(size=(30, n)).astype(dtype)
    whole = kernel(isa, x, 0.5, SEED, STEP, STREAM)
    cuts = ((0, 1), (1, 14), (14, 30))
    parts = [kernel(isa, x[a:b], 0.5, SEED, STEP, STREAM, first=a) for a, b in cuts]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_sources_in_use_equal_those_by_name():
    isa = _core.instruction_set()
    assert isa in _core.instruction_sets()
    for name in ("random_uniform", "random_normal", "epoch_order"):
        in_use, named = getattr(_core, name), getattr(kernels, name)
        assert in_use(1, 2, 70).tobytes() == named(isa, 1, 2, 70).tobytes()


@pytest.mark.parametrize("source", [_core.random_uniform, _core.random_normal, _core.epoch_order])
def test_negative_sizes_are_refused(source):
    with pytest.raises(ValueError, match="n: expected 0 or more, got -1"):
        source(0, 0, -1)
