"""Convolutions against SciPy, PyTorch and pictures that can be checked by eye."""

import numpy as np
import pytest
from fastnn.graph import Node
from fastnn.reference import Engine
from fastnn.reference.conv import conv_backward_inputs, conv_backward_weights, conv_forward
from fastnn.reference.window import Window, same_border

from tests import tolerance

# h, w, channels, filters, groups, then the fields of the window from kh on.
SHAPES = [
    (6, 7, 3, 4, 1, 3, 3),
    (6, 7, 3, 4, 1, 3, 2, 2, 3),
    (9, 8, 2, 3, 1, 3, 2, 1, 1, 2, 3),
    (9, 8, 4, 6, 2, 3, 3, 2, 1, 2, 1, 2, 2, 2, 2),
    (5, 6, 5, 5, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1),
    (5, 6, 4, 8, 4, 2, 2, 2, 2, 1, 1, 1, 0, 1, 0),
    (4, 4, 17, 16, 1, 1, 1),
    (3, 5, 2, 7, 1, 3, 5),
]


def problem(shape, random, dtype="float64"):
    h, w, channels, filters, groups, *window = shape
    window = Window(h, w, *window)
    x = random.normal(size=(3, h, w, channels)).astype(dtype)
    kernel = random.normal(size=(window.kh, window.kw, channels // groups, filters)).astype(dtype)
    bias = random.normal(size=filters).astype(dtype)
    return x, kernel, bias, window, groups


def test_convolution_equals_scipy(random):
    """Channel by channel, a filter is the sum of correlations."""
    signal = pytest.importorskip("scipy.signal")
    x, kernel, bias, window, _ = problem((6, 7, 3, 4, 1, 3, 2), random)
    y = conv_forward(x, kernel, bias, window)
    for image, got in zip(x, y, strict=True):
        for f in range(kernel.shape[-1]):
            parts = [
                signal.correlate(image[:, :, c], kernel[:, :, c, f], "valid") for c in range(3)
            ]
            assert got[:, :, f] == pytest.approx(sum(parts) + bias[f], abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_convolution_equals_torch(shape, random):
    torch = pytest.importorskip("torch")
    x, kernel, bias, window, groups = problem(shape, random, "float32")
    turned = [torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(kernel.transpose(3, 2, 0, 1))]
    tensors = [t.clone().requires_grad_() for t in turned]
    padded = torch.nn.functional.pad(
        tensors[0], (window.left, window.right, window.top, window.bottom)
    )
    expected = torch.nn.functional.conv2d(
        padded,
        tensors[1],
        torch.tensor(bias),
        (window.sh, window.sw),
        dilation=(window.dh, window.dw),
        groups=groups,
    )
    y = conv_forward(x, kernel, bias, window, groups)
    dy = random.normal(size=y.shape).astype(np.float32)
    expected.backward(torch.tensor(dy.transpose(0, 3, 1, 2)))
    dx, dw = (t.grad.numpy() for t in tensors)
    for got, wanted in (
        (y, expected.detach().numpy().transpose(0, 2, 3, 1)),
        (conv_backward_inputs(dy, kernel, window, groups), dx.transpose(0, 2, 3, 1)),
        (conv_backward_weights(x, dy, window, groups), dw.transpose(2, 3, 1, 0)),
    ):
        assert tolerance.close(got, wanted, tolerance.PARITY)


def test_sobel_finds_the_edge_of_a_step():
    """Left half dark, right half bright: (1 + 2 + 1) times the step in the two columns beside."""
    image = np.zeros((1, 5, 6, 1))
    image[:, :, 3:] = 1
    sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).reshape(3, 3, 1, 1)
    y = conv_forward(image, sobel, None, Window(5, 6, 3, 3))
    assert y[0, :, :, 0].tolist() == [[0, 4, 4, 0]] * 3


@pytest.mark.parametrize(
    ("n", "e", "s", "expected"),
    [
        (5, 3, 1, (1, 1)),
        (5, 2, 1, (0, 1)),
        (5, 4, 1, (1, 2)),
        (6, 3, 2, (0, 1)),
        (7, 3, 2, (1, 1)),
        (7, 1, 3, (0, 0)),
        (3, 7, 1, (3, 3)),
        (8, 2, 3, (0, 0)),
    ],
)
def test_same_border_is_larger_behind(n, e, s, expected):
    border = same_border(n, e, s)
    assert border == expected
    window = Window(n, 1, e, 1, s, top=border[0], bottom=border[1])
    assert window.oh == -(-n // s)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"kernel_size": (3,)}, {}),
        ({"kernel_size": (2,), "strides": (3,), "padding": (1, 1)}, {"stride": 3, "padding": 1}),
        ({"kernel_size": (3,), "dilation_rate": (2,), "groups": 2}, {"dilation": 2, "groups": 2}),
        ({"kernel_size": (5,), "padding": "same"}, {"padding": 2}),
    ],
)
def test_convolution_of_sequences_equals_torch(config, options, random):
    torch = pytest.importorskip("torch")
    nodes = [
        Node("input", "x", (), {"shape": (9, 4)}),
        Node("conv1d", "y", (0,), {"filters": 6, **config}),
    ]
    engine = Engine(nodes, [1], "float32")
    for name, size in engine.parameters():
        engine.set(name, random.normal(size=size))
    x = random.normal(size=(3, 9, 4)).astype(np.float32)
    tensors = x.transpose(0, 2, 1), engine.get("y/kernel").transpose(2, 1, 0), engine.get("y/bias")
    expected = torch.nn.functional.conv1d(*map(torch.tensor, tensors), **options)
    y = engine.predict([x], 8)[0]
    assert tolerance.close(y, expected.numpy().transpose(0, 2, 1), tolerance.PARITY)
