"""Convolution, pooling and normalisation as functions: what the table of cases does not say."""

import numpy as np
import pytest
from fastnn.reference import conv
from fastnn.reference.window import Window

from tests.functional.cases import F, normal
from tests.tolerance import SAME_FORMULA, close


@pytest.mark.parametrize(("size", "padding"), [((3, 2), "valid"), ((3, 5), "same")])
def test_convolution_is_scipys_correlation(size, padding):
    signal = pytest.importorskip("scipy.signal")
    x, weight = normal(2, 8, 9, 3), normal(*size, 3, 2)
    expected = np.zeros((2, *signal.correlate(x[0, :, :, 0], weight[:, :, 0, 0], padding).shape, 2))
    for n, c, f in np.ndindex(2, 3, 2):
        expected[n, :, :, f] += signal.correlate(x[n, :, :, c], weight[:, :, c, f], padding)
    assert close(F.conv2d(x, weight, padding=padding), expected, SAME_FORMULA)
    series = [signal.correlate(x[0, :, 0, 0], weight[:, 0, 0, 0], padding)]
    found = F.conv1d(x[:1, :, 0, :1], weight[:, 0, :1, :1], padding=padding)
    assert close(found[:, :, 0], np.array(series), SAME_FORMULA)


def test_strides_and_borders_are_those_of_the_layers():
    x, weight = normal(2, 7, 8, 4), normal(3, 2, 2, 6)
    window = Window(7, 8, 3, 2, 2, 3, 1, 1, 1, 0, 1, 0)  # what "same" means here
    found = F.conv2d(x, weight, stride=(2, 3), padding="same", groups=2)
    assert close(found, conv.conv_forward(x, weight, None, window, 2), SAME_FORMULA)


def test_no_images_give_no_images():
    x = np.zeros((0, 4, 4, 2), np.float32)
    weight = np.ones((3, 3, 2, 5), np.float32)
    assert F.conv2d(x, weight).shape == (0, 2, 2, 5)
    dx, dweight, dbias = F.conv2d_backward(np.zeros((0, 2, 2, 5)), x, weight)
    assert dx.shape == x.shape
    assert not dweight.any()
    assert not dbias.any()


X, W = np.ones((2, 4, 5, 3)), np.ones((3, 3, 3, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.conv2d(X[0], W), ValueError, r"x: expected shape \(n, rows, columns, channels"),
        (lambda: F.conv2d(X, W[0]), ValueError, r"weight: expected shape \(kh, kw, channels / gr"),
        (lambda: F.conv1d(X, W[0]), ValueError, r"x: expected shape \(n, length, channels\), got"),
        (lambda: F.conv1d(X[0], W), ValueError, r"weight: expected shape \(k, channels / groups"),
        (
            lambda: F.conv2d(X, W[:, :2, :2]),
            ValueError,
            r"weight: expected shape \(kh, kw, 3, filters\), got \(3, 2, 2, 2\)$",
        ),
        (
            lambda: F.conv2d(X, np.ones((2, 3, 5, 5))),
            ValueError,
            r"weight: .* got \(2, 3, 5, 5\); .* give weight.transpose\(2, 3, 1, 0\)",
        ),
        (
            lambda: F.conv1d(X[0], W[0, :, :2]),
            ValueError,
            r"weight: expected shape \(k, 3, filters\), got \(3, 2, 2\)$",
        ),
        (
            lambda: F.conv2d(X, W[:, :, :1], groups=2),
            ValueError,
            "groups: expected a divisor of 3 channels and 2 filters, got 2",
        ),
        (lambda: F.conv2d(X, W, groups=0), ValueError, "groups: expected an integer >= 1, got 0"),
        (lambda: F.conv2d(X, W, [1.0]), ValueError, r"bias: expected shape \(2,\), got \(1,\)"),
        (lambda: F.conv2d(X, W, stride=0), ValueError, "stride: expected an integer in .*, got 0"),
        (lambda: F.conv2d(X, W, stride=1.5), TypeError, "stride: expected an integer in .* float"),
        (
            lambda: F.conv2d(X, W, dilation=(1, 2, 3)),
            ValueError,
            "dilation: expected one integer or 2, got 3",
        ),
        (lambda: F.conv2d(X, W, padding=-1), ValueError, "padding: expected an integer in .*-1"),
        (
            lambda: F.conv2d(X, W, padding="full"),
            ValueError,
            "padding: expected one of valid, same, got 'full'",
        ),
        (lambda: F.conv1d(X[0], W[0], padding=(1, 1)), ValueError, "padding: expected one integer"),
        (
            lambda: F.conv2d(X, W, dilation=2),
            ValueError,
            r"weight: expected a window of at most \(4, 5\), got \(5, 5\)",
        ),
        (lambda: F.conv2d_backward(X, X, W), ValueError, r"dy: expected shape \(2, 2, 3, 2\), got"),
        (lambda: F.conv1d_backward(X[0], X[0], W[0]), ValueError, r"dy: expected shape \(4, 3, 2"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
