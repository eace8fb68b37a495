"""Pooling against PyTorch, and what ties, borders and NaN do."""

import numpy as np
import pytest
from fastnn.reference.pooling import (
    average_pool_backward,
    average_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from fastnn.reference.window import Window

from tests import tolerance

WINDOWS = [
    Window(6, 8, 2, 2, 2, 2),
    Window(7, 5, 3, 2, 2, 1),
    Window(7, 6, 3, 3, 2, 2, top=1, left=1, bottom=1, right=1),
    Window(4, 5, 4, 5),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_pooling_equals_torch(window, random):
    torch = pytest.importorskip("torch")
    x = random.normal(size=(3, window.h, window.w, 4)).astype(np.float32)
    geometry = (window.kh, window.kw), (window.sh, window.sw), (window.top, window.left)
    dy = random.normal(size=(3, window.oh, window.ow, 4)).astype(np.float32)
    largest, chosen = max_pool_forward(x, window)
    ours = {
        "max_pool2d": (largest, max_pool_backward(chosen, dy, window)),
        "avg_pool2d": (average_pool_forward(x, window), average_pool_backward(dy, window)),
    }
    for name, (y, dx) in ours.items():
        tensor = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
        counting = {"count_include_pad": False} if name == "avg_pool2d" else {}
        expected = getattr(torch.nn.functional, name)(tensor, *geometry, **counting)
        expected.backward(torch.tensor(dy.transpose(0, 3, 1, 2)))
        wanted = expected.detach().numpy().transpose(0, 2, 3, 1)
        assert tolerance.close(y, wanted, tolerance.PARITY)
        slopes = tensor.grad.numpy().transpose(0, 2, 3, 1)
        assert tolerance.close(dx, slopes, tolerance.PARITY)


def test_the_first_of_equal_maxima_takes_the_gradient():
    window = Window(2, 3, 2, 3)
    x = np.array([[1.0, 5, 5], [5, 0, 5]]).reshape(1, 2, 3, 1)
    y, chosen = max_pool_forward(x, window)
    assert (y.item(), chosen.item()) == (5, 1)
    dx = max_pool_backward(chosen, np.full((1, 1, 1, 1), 3.0), window)
    assert dx.ravel().tolist() == [0, 3, 0, 0, 0, 0]


def test_a_pixel_gathers_from_every_window_that_chose_it():
    window = Window(1, 3, 1, 2)
    y, chosen = max_pool_forward(np.array([1.0, 9, 2]).reshape(1, 1, 3, 1), window)
    dx = max_pool_backward(chosen, np.array([10.0, 1]).reshape(1, 1, 2, 1), window)
    assert y.ravel().tolist() == [9, 9]
    assert dx.ravel().tolist() == [0, 11, 0]


@pytest.mark.parametrize("value", [-3.0, -np.inf])
def test_the_border_is_never_the_maximum(value):
    window = Window(2, 2, 2, 2, top=1, left=1, bottom=1, right=1)
    y, chosen = max_pool_forward(np.full((1, 2, 2, 1), value), window)
    assert (y == value).all()
    assert chosen.ravel().tolist() == [0, 0, 1, 0, 0, 1, 2, 2, 3]


def test_means_count_the_pixels_of_the_image():
    window = Window(2, 2, 2, 2, top=1, left=1)
    y = average_pool_forward(np.arange(1.0, 5).reshape(1, 2, 2, 1), window)
    assert y.ravel().tolist() == [1, 1.5, 2, 2.5]


def test_nan_stays_nan():
    x = np.array([1.0, np.nan, 7, np.nan]).reshape(1, 2, 2, 1)
    y, chosen = max_pool_forward(x, Window(2, 2, 2, 2))
    assert np.isnan(y.item())
    assert chosen.item() == 1
    assert np.isnan(average_pool_forward(x, Window(2, 2, 2, 2)).item())
