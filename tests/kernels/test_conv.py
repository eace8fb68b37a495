"""Direct convolution against its twin in double precision, and its bits against other groupings."""

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import conv as twin
from fastnn.reference.window import Window

from tests import tolerance
from tests.kernels.shapes import unaligned

kernels = _core.kernels

# Images, window, channels, filters, groups: around the lanes (2 to 16), the heights of tiles (6),
# the lengths of pieces (128) and the images that are worked on together.
CASES = {
    "3x3": (3, Window(7, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 5, 20, 1),
    "3x3 valid": (2, Window(9, 8, 3, 3), 3, 33, 1),
    "one channel": (2, Window(12, 11, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 1, 32, 1),
    "one filter": (2, Window(8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 20, 1, 1),
    "few filters": (2, Window(8, 7, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 6, 3, 1),
    "47 filters": (1, Window(6, 6, 2, 3, 1, 1, 1, 1, 0, 1, 0, 1), 7, 47, 1),
    "80 filters": (1, Window(5, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 8, 80, 1),
    "130 channels": (2, Window(4, 5, 3, 2, 1, 1, 1, 1, 1, 0, 1, 1), 130, 17, 1),
    "5x5": (2, Window(9, 9, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2), 4, 10, 1),
    "uneven border": (2, Window(7, 9, 4, 2, 1, 1, 1, 1, 3, 0, 1, 2), 3, 12, 1),
    "wide border": (1, Window(3, 4, 3, 3, 2, 2, 1, 1, 7, 5, 0, 6), 2, 9, 1),
    "border alone": (1, Window(1, 2, 3, 3, 9, 9, 1, 1, 12, 11, 0, 0), 2, 9, 1),
    "many channels": (2, Window(9, 8, 4, 3, 2, 3, 2, 2, 5, 4, 1, 7), 41, 19, 1),
    "many in groups": (2, Window(6, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 50, 38, 2),
    "few filters, dilated": (2, Window(8, 9, 3, 3, 1, 1, 2, 2, 2, 3, 2, 3), 30, 2, 1),
    "few filters, strided": (2, Window(9, 10, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1), 9, 3, 1),
    "1x1": (3, Window(5, 7, 1, 1), 40, 24, 1),
    "1x1 strided": (2, Window(7, 8, 1, 1, 3, 2), 12, 16, 1),
    "whole image": (20, Window(4, 3, 4, 3), 6, 18, 1),
    "strided": (2, Window(9, 10, 3, 3, 2, 2, 1, 1, 0, 1, 1, 1), 6, 16, 1),
    "uneven strides": (2, Window(9, 12, 3, 5, 2, 3, 1, 1, 1, 2, 1, 2), 4, 11, 1),
    "stride past window": (2, Window(11, 9, 2, 1, 5, 4), 4, 11, 1),
    "dilated": (2, Window(11, 12, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3), 5, 17, 1),
    "dilated, strided": (2, Window(13, 14, 3, 2, 2, 3, 3, 2, 3, 1, 2, 2), 5, 17, 1),
    "line": (2, Window(1, 50, 1, 7, 1, 2, 1, 1, 0, 3, 0, 3), 9, 34, 1),
    "mostly border": (9, Window(3, 2, 5, 3, 1, 1, 1, 1, 2, 1, 2, 1), 33, 48, 1),
    "mostly border, strided": (5, Window(5, 4, 5, 4, 2, 3, 1, 1, 3, 2, 2, 3), 34, 50, 2),
    "groups": (2, Window(6, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 12, 18, 3),
    "wide groups": (2, Window(5, 6, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1), 34, 66, 2),
    "depthwise": (2, Window(8, 9, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 37, 37, 37),
    "depthwise, few": (2, Window(8, 9, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1), 3, 3, 3),
    "depthwise, valid": (2, Window(9, 9, 5, 3, 1, 1, 1, 2), 16, 16, 16),
    "multiplier": (2, Window(8, 9, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1), 7, 21, 7),
    "small images": (70, Window(2, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 5, 12, 1),
    "large image": (1, Window(23, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), 9, 70, 1),
    "no image": (0, Window(4, 4, 3, 3), 3, 5, 1),
}
FUSED = [name for name in _core.activations() if name != "softmax"]


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def arrays(random, dtype, case):
    """Unaligned x, w, b and dy."""
    images, window, channels, filters, groups = case
    shapes = (
        (images, window.h, window.w, channels),
        (window.kh, window.kw, channels // groups, filters),
        (filters,),
        (images, window.oh, window.ow, filters),
    )
    return [unaligned(random.normal(size=shape).astype(dtype)) for shape in shapes]


def assert_sums(actual, kernel, length, *parts):
    """Check actual = kernel(*parts), each element against the magnitudes summed in it."""
    wide = [np.asarray(part, np.float64) for part in parts[:2]]
    expected = kernel(*wide, *parts[2:])
    magnitudes = kernel(*map(np.abs, wide), *parts[2:])
    error = np.abs(actual.reshape(expected.shape) - expected)
    assert (error <= tolerance.sums(actual.dtype, length) * magnitudes).all()


def forward(x, w, window, groups):
    return twin.conv_forward(x, w, None, window, groups)


def test_forward_equals_the_twin(isa, dtype, case, random):
    _, window, _, _, groups = case
    x, w, b, _ = arrays(random, dtype, case)
    plain = kernels.conv_forward(isa, x, w, None, window, groups)
    assert_sums(plain, forward, w[..., 0].size, x, w, window, groups)
    y = kernels.conv_forward(isa, x, w, b, window, groups)
    np.testing.assert_allclose(y, plain + b, rtol=0, atol=1e3 * tolerance.EPSILON[y.dtype.name])
    relu = kernels.conv_forward(isa, x, w, b, window, groups, "relu")
    assert relu.tobytes() == np.where(y < 0, dtype(0), y).tobytes()


def test_input_gradient_equals_the_twin(isa, dtype, case, random):
    _, window, _, _, groups = case
    _, w, _, dy = arrays(random, dtype, case)
    dx = kernels.conv_backward_inputs(isa, dy, w, window, groups)
    length = w[:, :, 0].size // groups
    assert_sums(dx, twin.conv_backward_inputs, length, dy, w, window, groups)


def test_weight_gradient_equals_the_twin(isa, dtype, case, random):
    _, window, _, _, groups = case
    x, _, _, dy = arrays(random, dtype, case)
    dw = kernels.conv_backward_weights(isa, x, dy, window, groups)
    assert_sums(dw, twin.conv_backward_weights, dy[..., 0].size, x, dy, window, groups)


def test_images_have_the_same_bits_however_they_are_grouped(isa, dtype, case, random):
    images, window, _, _, groups = case
    x, w, b, dy = arrays(random, dtype, case)
    y = kernels.conv_forward(isa, x, w, b, window, groups, "tanh")
    dx = kernels.conv_backward_inputs(isa, dy, w, window, groups)
    for size in (1, 3, 67):
        for first in range(0, images, size):
            part = slice(first, first + size)
            alone = kernels.conv_forward(isa, x[part], w, b, window, groups, "tanh")
            assert alone.tobytes() == y[part].tobytes()
            alone = kernels.conv_backward_inputs(isa, dy[part], w, window, groups)
            assert alone.tobytes() == dx[part].tobytes()


def test_weight_gradients_have_the_same_bits_however_they_are_cut(isa, dtype, case, random):
    _, window, _, _, groups = case
    x, w, _, dy = arrays(random, dtype, case)
    dw = kernels.conv_backward_weights(isa, x, dy, window, groups)
    rows = w[..., 0].size
    for size in (1, 5, 32):
        for begin in range(0, min(rows, 70), size):
            end = min(begin + size, rows)
            part = kernels.conv_backward_weights(isa, x, dy, window, groups, begin, end)
            assert part.tobytes() == dw[begin:end].tobytes()


@pytest.mark.parametrize("activation", FUSED)
@pytest.mark.parametrize("name", ["3x3", "few filters", "groups", "depthwise"])
def test_activations_are_those_of_the_activation_kernel(isa, dtype, activation, name, random):
    _, window, _, _, groups = CASES[name]
    x, w, b, _ = arrays(random, dtype, CASES[name])
    expected = kernels.conv_forward(isa, x, w, b, window, groups)
    kernels.activation_forward(isa, expected, expected, activation)
    fused = kernels.conv_forward(isa, x, w, b, window, groups, activation)
    assert fused.tobytes() == expected.tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("name", ["3x3", "one channel", "few filters", "strided", "depthwise"])
def test_specials_reach_the_windows_that_see_them(isa, dtype, value, activation, name, random):
    _, window, _, _, groups = CASES[name]
    x, w, b, _ = (np.abs(array) for array in arrays(random, dtype, CASES[name]))
    expected = kernels.conv_forward(isa, x, w, b, window, groups, activation)
    seen = np.zeros(x.shape)
    seen[1, 3, 4, 1 % x.shape[3]] = 1
    expected[forward(seen, np.ones(w.shape), window, groups) > 0] = value
    x[1, 3, 4, 1 % x.shape[3]] = value
    found = kernels.conv_forward(isa, x, w, b, window, groups, activation)
    np.testing.assert_array_equal(found, expected)


def test_windows_and_groups_that_do_not_fit_are_refused():
    x, w = np.zeros((1, 4, 4, 3), np.float32), np.zeros((3, 3, 3, 2), np.float32)
    with pytest.raises(ValueError, match="window: expected one no larger than image and border"):
        kernels.conv_forward("baseline", x, w, None, Window(4, 4, 5, 3))
    with pytest.raises(ValueError, match="window: expected sizes of at least 1 and no negative"):
        kernels.conv_forward("baseline", x, w, None, Window(4, 4, 3, 3, sh=0))
    with pytest.raises(ValueError, match="groups: expected a divisor of 3 channels and 2 filters"):
        kernels.conv_forward("baseline", x, w, None, Window(4, 4, 3, 3), 3)
    with pytest.raises(ValueError, match=r"w: expected shape \(3, 3, 3, 2\), got \(3, 3, 1, 2\)"):
        kernels.conv_forward("baseline", x, w[:, :, :1].copy(), None, Window(4, 4, 3, 3))
