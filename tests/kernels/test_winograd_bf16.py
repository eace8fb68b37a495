"""Winograd's convolution with rounded factors: a twin in NumPy, bits of other sets and cuts."""

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import conv
from fastnn.reference.dense import round_to_bfloat16
from numpy.lib.stride_tricks import sliding_window_view

from tests.kernels.test_winograd import SHAPES, WHOLE, arrays, doubles, relative_error

kernels = _core.kernels

POINTS = np.array([0, 5 / 8, -5 / 8, 3 / 2, -3 / 2])
BF16 = "bf16"


def matrices():
    """Return A', G and B' of F(4x4, 3x3) at the points and infinity."""
    output, weights, inputs = np.zeros((4, 6)), np.zeros((6, 3)), np.zeros((6, 6))
    for i, point in enumerate(POINTS):
        others = np.delete(POINTS, i)
        output[:, i] = point ** np.arange(4)
        weights[i] = point ** np.arange(3) / np.prod(point - others)
        inputs[i, :5] = np.poly(others)[::-1]
    output[3, 5] = weights[5, 2] = 1
    inputs[5] = np.poly(POINTS)[::-1]
    return output, weights, inputs


def rounded(x):
    return round_to_bfloat16(x.astype(np.float32)).astype(np.float64)


def both_ways(matrix, squares):
    """Matrix @ square @ matrix' over the last two axes."""
    return matrix @ squares @ matrix.T


class Twin:
    """The three passes over tiles (images, rows, columns, channels, 6, 6), factors rounded."""

    def __init__(self, x, w, dy, window):
        self.output, self.weights, inputs = matrices()
        self.window, self.shape = window, x.shape
        n, oh, ow, filters = dy.shape
        self.rows, self.columns = -(-oh // 4), -(-ow // 4)
        tall, wide = 4 * self.rows, 4 * self.columns
        after = [(window.top, tall + 6), (window.left, wide + 6)]
        padded = np.pad(x, [(0, 0), *after, (0, 0)])[:, : tall + 2, : wide + 2]
        tiles = sliding_window_view(padded, (6, 6), axis=(1, 2))[:, ::4, ::4]
        self.v = rounded(both_ways(inputs, tiles))
        self.u = rounded(both_ways(self.weights, np.moveaxis(w, (0, 1), (2, 3))))
        ends = np.zeros((n, tall, wide, filters))
        ends[:, :oh, :ow] = dy
        gradients = ends.reshape(n, self.rows, 4, self.columns, 4, filters)
        self.z = rounded(both_ways(self.output.T, gradients.transpose(0, 1, 3, 5, 2, 4)))
        self.inputs = inputs

    def forward(self):
        tiles = both_ways(self.output, np.einsum("nrqcij,cfij->nrqfij", self.v, self.u))
        n, rows, columns, filters = tiles.shape[:4]
        y = tiles.transpose(0, 1, 4, 2, 5, 3).reshape(n, 4 * rows, 4 * columns, filters)
        return y[:, : self.window.oh, : self.window.ow]

    def backward_inputs(self):
        tiles = both_ways(self.inputs.T, np.einsum("nrqfij,cfij->nrqcij", self.z, self.u))
        n, height, width, channels = self.shape
        dx = np.zeros((n, 4 * self.rows + 6 + height, 4 * self.columns + 6 + width, channels))
        for row in range(self.rows):
            for column in range(self.columns):
                square = np.moveaxis(tiles[:, row, column], 1, 3)
                dx[:, 4 * row : 4 * row + 6, 4 * column : 4 * column + 6] += square
        top, left = self.window.top, self.window.left
        return dx[:, top : top + height, left : left + width]

    def backward_weights(self):
        du = np.einsum("nrqcij,nrqfij->cfij", self.v, self.z)
        return np.moveaxis(both_ways(self.weights.T, du), (2, 3), (0, 1))


def passes(isa, shape, x, w, dy):
    border, channels, filters = shape[2:]
    u, ut = kernels.winograd_transform(isa, w, precision=BF16)
    return (
        kernels.winograd_forward(isa, x, u, None, filters, border, precision=BF16),
        kernels.winograd_backward_inputs(isa, dy, ut, channels, border, precision=BF16),
        kernels.winograd_backward_weights(isa, x, dy, border, precision=BF16),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_all_passes_equal_a_twin_that_rounds(isa, shape, random):
    """A transform rounded in float32 may round on to another bfloat16: one factor in thousands."""
    window, x, w, _, dy = arrays(random, shape, images=3)
    wide_x, wide_w, wide_dy = doubles(x, w, dy)
    twin = Twin(wide_x, wide_w, wide_dy, window)
    expected = twin.forward(), twin.backward_inputs(), twin.backward_weights()
    for found, exact in zip(passes(isa, shape, x, w, dy), expected, strict=True):
        assert relative_error(found, exact) < 5e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_all_passes_are_convolutions(isa, shape, random):
    """Within four times what rounding the factors of a direct convolution changes."""
    window, x, w, _, dy = arrays(random, shape, images=3)
    wide_x, wide_w, wide_dy = doubles(x, w, dy)
    expected = (
        conv.conv_forward(wide_x, wide_w, None, window),
        conv.conv_backward_inputs(wide_dy, wide_w, window),
        conv.conv_backward_weights(wide_x, wide_dy, window),
    )
    for found, exact in zip(passes(isa, shape, x, w, dy), expected, strict=True):
        assert relative_error(found, exact) < 0.02


@pytest.mark.parametrize("shape", SHAPES)
def test_every_instruction_set_gives_nearly_the_same_numbers(isa, shape, random):
    """Products have the same bits; transforms round otherwise where multiply-adds are missing."""
    _, x, w, _, dy = arrays(random, shape, images=3)
    best = passes(_core.instruction_sets()[0], shape, x, w, dy)
    for found, other in zip(passes(isa, shape, x, w, dy), best, strict=True):
        if isa.startswith("avx512"):
            assert found.tobytes() == other.tobytes()
        assert relative_error(found, other) < 5e-4


def test_images_and_channels_have_the_same_bits_however_they_are_cut(isa, random):
    _, x, w, b, dy = arrays(random, WHOLE, images=5)
    border, channels, filters = WHOLE[2:]
    y, dx, dw = passes(isa, WHOLE, x, w, dy)
    u, ut = kernels.winograd_transform(isa, w, precision=BF16)
    for size in (1, 2, 3):
        for first in range(0, 5, size):
            part = slice(first, first + size)
            cut = passes(isa, WHOLE, x[part], w, dy[part])
            assert cut[0].tobytes() == y[part].tobytes()
            assert cut[1].tobytes() == dx[part].tobytes()
    for size in (2, 16, 32):
        sums = [np.zeros_like(u), np.zeros_like(ut)]
        for begin in range(0, channels, size):
            end = min(begin + size, channels)
            cut = kernels.winograd_backward_weights(isa, x, dy, border, begin, end, precision=BF16)
            assert cut.tobytes() == dw[:, :, begin:end].tobytes()
            for total, piece in zip(
                sums, kernels.winograd_transform(isa, w, begin, end, precision=BF16), strict=True
            ):
                total.view(np.uint32)[...] |= piece.view(np.uint32)
        assert [total.tobytes() for total in sums] == [u.tobytes(), ut.tobytes()]
    fused = kernels.winograd_forward(isa, x, u, b, filters, border, "relu", precision=BF16)
    plain = kernels.winograd_forward(isa, x, u, b, filters, border, precision=BF16)
    assert fused.tobytes() == np.where(plain < 0, np.float32(0), plain).tobytes()
