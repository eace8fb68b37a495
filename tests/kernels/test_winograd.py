"""Winograd's convolution against the reference in double precision, and its bits against cuts."""

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import conv
from fastnn.reference.window import Window, pad_images, under_tap

from tests.kernels.shapes import unaligned

kernels = _core.kernels

# Height, width, (top, left, bottom, right), channels, filters: ragged tiles, lanes and borders.
SHAPES = [
    (3, 3, (0, 0, 0, 0), 16, 16),
    (1, 1, (1, 1, 1, 1), 20, 24),
    (1, 7, (2, 0, 2, 0), 16, 19),
    (4, 4, (1, 1, 1, 1), 130, 40),
    (5, 6, (2, 2, 2, 2), 48, 20),
    (7, 9, (1, 1, 1, 1), 17, 33),
    (8, 8, (1, 1, 1, 1), 64, 64),
    (10, 11, (0, 1, 2, 1), 70, 100),
    (14, 9, (0, 0, 0, 0), 31, 81),
    (13, 3, (1, 2, 1, 0), 24, 150),
]
WHOLE = (12, 10, (1, 1, 1, 1), 37, 50)


def window_of(height, width, border):
    top, left, bottom, right = border
    return Window(height, width, 3, 3, top=top, left=left, bottom=bottom, right=right)


def arrays(random, shape, images):
    """Unaligned x, w, b and dy."""
    height, width, border, channels, filters = shape
    window = window_of(height, width, border)
    x = random.normal(size=(images, height, width, channels))
    w = random.normal(size=(3, 3, channels, filters))
    dy = random.normal(size=(images, window.oh, window.ow, filters))
    parts = x, w, random.normal(size=filters), dy
    return window, *(unaligned(part.astype(np.float32)) for part in parts)


def root_mean_square(array):
    return np.sqrt(np.mean(np.square(array, dtype=np.float64)))


def relative_error(actual, expected):
    assert actual.shape == expected.shape
    return root_mean_square(actual - expected) / root_mean_square(expected)


def doubles(*arrays):
    return (array.astype(np.float64) for array in arrays)


@pytest.mark.parametrize("shape", SHAPES)
def test_all_passes_equal_the_reference(isa, shape, random):
    window, x, w, b, dy = arrays(random, shape, images=4)
    border, channels, filters = shape[2:]
    wide_x, wide_w, wide_b, wide_dy = doubles(x, w, b, dy)
    u, ut = kernels.winograd_transform(isa, w)
    y = kernels.winograd_forward(isa, x, u, b, filters, border)
    assert relative_error(y, conv.conv_forward(wide_x, wide_w, wide_b, window)) < 2e-6
    plain = kernels.winograd_forward(isa, x, u, None, filters, border)
    assert relative_error(plain, conv.conv_forward(wide_x, wide_w, None, window)) < 2e-6
    dx = kernels.winograd_backward_inputs(isa, dy, ut, channels, border)
    assert relative_error(dx, conv.conv_backward_inputs(wide_dy, wide_w, window)) < 2e-6
    dw = kernels.winograd_backward_weights(isa, x, dy, border)
    assert relative_error(dw, conv.conv_backward_weights(wide_x, wide_dy, window)) < 2e-6


def chain(factors, shape):
    """Sum of products one after the other in float32: what a direct convolution rounds."""
    total = np.zeros(shape, np.float32)
    for a, b in factors:
        total += a * b
    return total


def direct_passes(x, w, dy, window):
    """y, dx and dw of a direct convolution in float32."""
    channels, filters = w.shape[2:]
    padded = pad_images(x, window)
    taps = [(w[p, q], under_tap(padded, window, p, q)) for p, q in window.taps()]
    y = chain(
        ((pixels[..., c, None], tap[c]) for tap, pixels in taps for c in range(channels)), dy.shape
    )
    framed = np.pad(dy, ((0, 0), (2, 2), (2, 2), (0, 0)))
    height, width = window.h + window.top + window.bottom, window.w + window.left + window.right
    views = [
        (w[p, q], framed[:, 2 - p : 2 - p + height, 2 - q : 2 - q + width])
        for p, q in window.taps()
    ]
    dx = chain(
        ((view[..., f, None], tap[:, f]) for tap, view in views for f in range(filters)),
        padded.shape,
    )
    rows = dy.reshape(-1, filters)
    dw = [
        chain(zip(pixels.reshape(-1, channels, 1), rows[:, None], strict=True), (channels, filters))
        for _, pixels in taps
    ]
    cut = dx[:, window.top : window.top + window.h, window.left : window.left + window.w]
    return y, cut, np.reshape(dw, w.shape)


@pytest.mark.parametrize(("channels", "positive"), [(16, False), (32, False), (64, True)])
def test_errors_are_near_those_of_a_direct_convolution(isa, channels, positive, random):
    border = (1, 1, 1, 1)
    window, x, w, _, dy = arrays(random, (12, 12, border, channels, channels), images=8)
    x = np.maximum(x, 0) if positive else x
    wide_x, wide_w, wide_dy = doubles(x, w, dy)
    exact = (
        conv.conv_forward(wide_x, wide_w, None, window),
        conv.conv_backward_inputs(wide_dy, wide_w, window),
        conv.conv_backward_weights(wide_x, wide_dy, window),
    )
    u, ut = kernels.winograd_transform(isa, w)
    passes = (
        kernels.winograd_forward(isa, x, u, None, channels, border),
        kernels.winograd_backward_inputs(isa, dy, ut, channels, border),
        kernels.winograd_backward_weights(isa, x, dy, border),
    )
    limit = 2.75 if isa == "baseline" else 2.5  # there every product is rounded, too
    for found, direct, expected in zip(passes, direct_passes(x, w, dy, window), exact, strict=True):
        assert relative_error(found, expected) <= limit * relative_error(direct, expected)


@pytest.mark.parametrize("activation", [a for a in _core.activations() if a != "softmax"])
def test_activations_are_those_of_the_activation_kernel(isa, activation, random):
    _, x, w, b, _ = arrays(random, WHOLE, images=7)
    u, _ = kernels.winograd_transform(isa, w)
    y = kernels.winograd_forward(isa, x, u, b, 50, WHOLE[2])
    kernels.activation_forward(isa, y, y, activation)
    fused = kernels.winograd_forward(isa, x, u, b, 50, WHOLE[2], activation)
    assert fused.tobytes() == y.tobytes()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_images_have_the_same_bits_however_they_are_grouped(isa, size, random):
    _, x, w, b, dy = arrays(random, WHOLE, images=13)
    border, channels, filters = WHOLE[2:]
    u, ut = kernels.winograd_transform(isa, w)
    y = kernels.winograd_forward(isa, x, u, b, filters, border, "tanh")
    dx = kernels.winograd_backward_inputs(isa, dy, ut, channels, border)
    for first in range(0, 13, size):
        part = slice(first, first + size)
        cut = kernels.winograd_forward(isa, x[part], u, b, filters, border, "tanh")
        assert cut.tobytes() == y[part].tobytes()
        cut = kernels.winograd_backward_inputs(isa, dy[part], ut, channels, border)
        assert cut.tobytes() == dx[part].tobytes()


@pytest.mark.parametrize("size", [1, 7, 16, 24])
def test_weight_gradients_have_the_same_bits_however_channels_are_cut(isa, size, random):
    _, x, _, _, dy = arrays(random, WHOLE, images=13)
    border, channels, _ = WHOLE[2:]
    dw = kernels.winograd_backward_weights(isa, x, dy, border)
    for begin in range(0, channels, size):
        end = min(begin + size, channels)
        cut = kernels.winograd_backward_weights(isa, x, dy, border, begin, end)
        assert cut.tobytes() == dw[:, :, begin:end].tobytes()


@pytest.mark.parametrize("size", [1, 7, 16, 24])
def test_each_channel_of_transformed_weights_is_written_by_its_own_call(isa, size, random):
    w = arrays(random, WHOLE, images=1)[2]
    whole = kernels.winograd_transform(isa, w)
    sums = [np.zeros_like(part) for part in whole]
    for begin in range(0, 37, size):
        for total, part in zip(
            sums, kernels.winograd_transform(isa, w, begin, min(begin + size, 37)), strict=True
        ):
            assert not np.any((total != 0) & (part != 0))
            total += part
    assert all(np.array_equal(total, part) for total, part in zip(sums, whole, strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_specials_reach_their_image_and_no_other(isa, value, random):
    _, x, w, b, dy = arrays(random, WHOLE, images=5)
    border, channels, filters = WHOLE[2:]
    u, ut = kernels.winograd_transform(isa, w)
    y = kernels.winograd_forward(isa, x, u, b, filters, border)
    dx = kernels.winograd_backward_inputs(isa, dy, ut, channels, border)
    x[2, 5, 5, 3] = dy[2, 5, 5, 3] = value
    others = [0, 1, 3, 4]
    found = kernels.winograd_forward(isa, x, u, b, filters, border)
    assert found[others].tobytes() == y[others].tobytes()
    assert not np.isfinite(found[2, 5, 5]).any()
    found = kernels.winograd_backward_inputs(isa, dy, ut, channels, border)
    assert found[others].tobytes() == dx[others].tobytes()
    assert not np.isfinite(found[2, 5, 5]).any()


@pytest.mark.parametrize(
    ("border", "message"),
    [((0, 0, 0, 3), "border: expected 0, 1 or 2, got 3"), ((0, 0, 0, 0), "3 x 3 or more with it")],
)
def test_impossible_borders_are_refused(border, message):
    x, dy = np.zeros((1, 2, 2, 16), np.float32), np.zeros((1, 1, 1, 16), np.float32)
    with pytest.raises(ValueError, match=message):
        kernels.winograd_backward_weights("baseline", x, dy, border)
