"""Pooling against its twin: maxima and chosen pixels exactly, means and gradients closely."""

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import pooling as twin
from fastnn.reference.window import Window

from tests import tolerance
from tests.kernels.shapes import unaligned

kernels = _core.kernels

WINDOWS = {
    "2x2": Window(6, 8, 2, 2, 2, 2),
    "2x2, odd image": Window(7, 5, 2, 2, 2, 2),
    "2x2, odd image, same": Window(7, 5, 2, 2, 2, 2, bottom=1, right=1),
    "2x2, border before": Window(5, 6, 2, 2, 2, 2, top=1, left=1),
    "3x3": Window(9, 6, 3, 3, 3, 3),
    "3x3, overlapping": Window(7, 8, 3, 3, 2, 2, top=1, left=0, bottom=0, right=1),
    "3x3, everywhere": Window(5, 6, 3, 3, top=1, left=1, bottom=1, right=1),
    "2x2, everywhere": Window(4, 5, 2, 2),
    "uneven": Window(6, 9, 1, 4, 2, 3, left=3, right=2),
    "gaps": Window(8, 7, 2, 1, 3, 4),
    "one pixel": Window(3, 4, 1, 1),
    "one of one": Window(1, 1, 1, 1),
    "whole image": Window(7, 6, 7, 6),
    "larger than the image": Window(3, 2, 5, 4, 1, 2, top=2, left=1, bottom=2, right=1),
}
CHANNELS = (1, 17, 119)  # fewer than the lanes; several vectors, one, and some lanes


@pytest.fixture(params=WINDOWS)
def window(request):
    return WINDOWS[request.param]


def images(random, dtype, window, channels, n=3):
    """Unaligned x of few values, so that many are equal, and dy."""
    x = random.integers(-2, 3, size=(n, window.h, window.w, channels)).astype(dtype)
    dy = random.normal(size=(n, window.oh, window.ow, channels)).astype(dtype)
    return unaligned(x), unaligned(dy)


@pytest.mark.parametrize("channels", CHANNELS)
def test_maxima_equal_the_reference(isa, dtype, window, channels, random):
    x, _ = images(random, dtype, window, channels)
    for found, expected in zip(
        kernels.max_pool_forward(isa, x, window), twin.max_pool_forward(x, window), strict=True
    ):
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("channels", CHANNELS)
def test_gradients_of_maxima_equal_the_reference(isa, dtype, window, channels, random):
    x, dy = images(random, dtype, window, channels)
    chosen = twin.max_pool_forward(x, window)[1]
    dx = kernels.max_pool_backward(isa, chosen, dy, window)
    expected = twin.max_pool_backward(chosen, dy.astype(np.float64), window)
    assert tolerance.close(dx, expected, tolerance.sums(dtype, window.kh * window.kw))


@pytest.mark.parametrize("channels", CHANNELS)
def test_means_and_their_gradients_equal_the_reference(isa, dtype, window, channels, random):
    x, dy = images(random, dtype, window, channels)
    near = tolerance.sums(dtype, window.kh * window.kw)
    y = kernels.average_pool_forward(isa, x, window)
    assert tolerance.close(y, twin.average_pool_forward(x.astype(np.float64), window), near)
    dx = kernels.average_pool_backward(isa, dy, window)
    assert tolerance.close(dx, twin.average_pool_backward(dy.astype(np.float64), window), near)


@pytest.mark.parametrize("channels", [1, 36])
@pytest.mark.parametrize("odd", [[np.nan], [-np.inf], [np.inf, -np.inf, np.nan]], ids=str)
def test_odd_values_are_found_as_the_reference_finds_them(
    isa, dtype, window, channels, odd, random
):
    x, _ = images(random, dtype, window, channels)
    x[random.random(x.shape) < 0.4] = random.choice(odd)
    y, chosen = kernels.max_pool_forward(isa, x, window)
    expected, pixels = twin.max_pool_forward(x, window)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(chosen, pixels)
    with np.errstate(invalid="ignore"):
        means = twin.average_pool_forward(x.astype(np.float64), window)
    np.testing.assert_allclose(kernels.average_pool_forward(isa, x, window), means, rtol=1e-5)


def test_an_image_without_a_number_above_minus_infinity_has_its_first_pixel(isa, dtype):
    x = np.full((1, 4, 4, 20), -np.inf, dtype)
    y, chosen = kernels.max_pool_forward(isa, x, Window(4, 4, 2, 2, 2, 2))
    assert (y == -np.inf).all()
    assert (chosen[..., 0].ravel() == [0, 2, 8, 10]).all()


@pytest.mark.parametrize("channels", [5, 64])
def test_images_may_be_cut_anywhere(isa, dtype, window, channels, random):
    x, dy = images(random, dtype, window, channels, n=9)
    chosen = kernels.max_pool_forward(isa, x, window)[1]

    def run(some):
        return [
            kernels.max_pool_forward(isa, x[some], window)[0],
            kernels.max_pool_backward(isa, chosen[some], dy[some], window),
            kernels.average_pool_forward(isa, x[some], window),
            kernels.average_pool_backward(isa, dy[some], window),
        ]

    parts = zip(*(run(slice(a, b)) for a, b in ((0, 1), (1, 6), (6, 9))), strict=True)
    for whole, part in zip(run(slice(None)), parts, strict=True):
        assert np.concatenate(part).tobytes() == whole.tobytes()


def test_images_beyond_the_caches_give_the_same_bits(isa, random):
    window = Window(65, 130, 2, 2, 2, 2)
    x = random.random((9, 65, 130, 32), dtype=np.float32)
    y = kernels.max_pool_forward(isa, x, window)[0]
    assert y.tobytes() == x[:, :64].reshape(9, 32, 2, 65, 2, 32).max(axis=(2, 4)).tobytes()
    means = kernels.average_pool_forward(isa, x, window)
    assert means[8:].tobytes() == kernels.average_pool_forward(isa, x[8:], window).tobytes()


def test_no_image_gives_none(isa, dtype):
    window = Window(4, 4, 2, 2, 2, 2)
    y, chosen = kernels.max_pool_forward(isa, np.zeros((0, 4, 4, 3), dtype), window)
    assert y.shape == chosen.shape == (0, 2, 2, 3)


@pytest.mark.parametrize(
    "window", [Window(4, 4, 2, 2, top=2), Window(4, 4, 2, 2, right=3), Window(4, 4, 2, 2, dh=2)]
)
def test_windows_that_may_miss_the_image_are_refused(window):
    with pytest.raises(ValueError, match="window: expected no dilation and a border below"):
        kernels.average_pool_forward("baseline", np.zeros((1, 4, 4, 3), np.float32), window)


@pytest.mark.parametrize("pixel", [-1, 16])
def test_a_pixel_outside_the_image_is_refused(pixel):
    chosen, dy = np.full((1, 2, 2, 1), 15, np.int32), np.ones((1, 2, 2, 1), np.float32)
    chosen[0, 1, 1] = pixel
    with pytest.raises(ValueError, match=r"chosen: expected values in \[0, 16\), got"):
        kernels.max_pool_backward("baseline", chosen, dy, Window(4, 4, 2, 2, 2, 2))
