"""Convolution, pooling and normalisation as functions: what the table of cases does not say."""

import numpy as np
import pytest
from fastnn import Sequential, layers
from fastnn.reference import conv, pooling
from fastnn.reference.window import Window

from tests.functional.cases import F, distributions, normal
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
    window = Window(7, 8, 3, 2, 2, 3, 1, 1, 1, 0, 1, 0)
    found = F.avg_pool2d(x, (3, 2), (2, 3), "same", count_include_pad=False)
    assert close(found, pooling.average_pool_forward(x, window), SAME_FORMULA)


@pytest.mark.parametrize("backend", ["numpy", "core"])
def test_a_network_of_functions_is_the_model(backend):
    chain = [
        layers.Conv2D(4, 3, strides=2, padding="same"),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.AveragePooling2D(3, 2, padding="same"),
    ]
    model = Sequential(chain, input_shape=(9, 8, 2), backend=backend, dtype="float64", seed=0)
    model.set_weights([distributions(*shape) for _, shape in model.parameters()])
    weight, bias, gamma, beta, mean, var, *scaling = model.get_weights()
    x = normal(3, 9, 8, 2)
    y = F.conv2d(x, weight, bias, stride=2, padding="same")
    y = F.layer_norm(F.batch_norm(y, mean, var, gamma, beta, eps=1e-3), 4, *scaling, eps=1e-3)
    y = F.avg_pool2d(y, 3, 2, "same", count_include_pad=False)
    assert close(y, model.predict(x), SAME_FORMULA)


def test_without_a_fold_a_network_has_the_bits_of_the_model():
    chain = [
        layers.Conv2D(20, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(18, (3, 2), strides=(1, 2), groups=2, use_bias=False),
        layers.LayerNormalization(),
        layers.BatchNormalization(),
        layers.AveragePooling2D(2, strides=1),
    ]
    model = Sequential(chain, input_shape=(9, 8, 3), convolution="direct", seed=0)
    w1, b1, w2, gamma, beta, *statistics = model.get_weights()
    x = normal(5, 9, 8, 3).astype(np.float32)
    y = F.max_pool2d(F.relu(F.conv2d(x, w1, b1, padding="same")), 2)
    y = F.layer_norm(F.conv2d(y, w2, stride=(1, 2), groups=2), 18, gamma, beta, 1e-3)
    y = F.batch_norm(y, *statistics[2:], *statistics[:2], eps=1e-3)
    assert F.avg_pool2d(y, 2, 1).tobytes() == model.predict(x).tobytes()


def test_first_of_equal_maxima_takes_the_gradient():
    dx = F.max_pool2d_backward(np.ones((1, 1, 1, 2)), np.zeros((1, 2, 3, 2)), (2, 3))
    assert dx[0, 0, 0].tolist() == [1, 1]
    assert dx.sum() == 2


@pytest.mark.peer
def test_running_statistics_move_as_torchs():
    torch = pytest.importorskip("torch")
    x, mean, var = normal(4, 3, 5), normal(5), np.ones(5)
    theirs = [torch.from_numpy(array.copy()) for array in (mean, var)]
    images = torch.from_numpy(x).movedim(-1, 1)
    torch.nn.functional.batch_norm(images, *theirs, training=True, momentum=0.3)
    y = F.batch_norm(x, mean, var, training=True, momentum=0.3)
    for found, expected in zip((mean, var), theirs, strict=True):
        assert close(found, expected.numpy(), SAME_FORMULA)
    assert np.array_equal(y, F.batch_norm(x, None, None, training=True))


def test_running_statistics_stay_outside_training_and_in_backward():
    x, mean, var = normal(6, 2), normal(2), np.ones(2)
    held = mean.copy(), var.copy()
    F.batch_norm(x, mean, var)
    F.batch_norm_backward(x, x, mean, var, training=True)
    F.batch_norm(x, mean, None, training=True, momentum=0.0)
    assert np.array_equal(mean, held[0])
    assert np.array_equal(var, held[1])


def test_a_single_row_in_training_gives_the_bias():
    mean, var = np.zeros(2, np.float32), np.ones(2, np.float32)
    y = F.batch_norm(np.ones((1, 2), np.float32), mean, var, None, [3.0, 4.0], training=True)
    assert y.tolist() == [[3, 4]]
    assert np.isfinite([mean, var]).all()


def test_no_images_give_no_images():
    x = np.zeros((0, 4, 4, 2), np.float32)
    weight = np.ones((3, 3, 2, 5), np.float32)
    assert F.conv2d(x, weight).shape == (0, 2, 2, 5)
    dx, dweight, dbias = F.conv2d_backward(np.zeros((0, 2, 2, 5)), x, weight)
    assert dx.shape == x.shape
    assert not dweight.any()
    assert not dbias.any()
    assert F.max_pool2d(x, 2).shape == F.avg_pool2d(x, 2).shape == (0, 2, 2, 2)
    assert F.layer_norm(x, 2).shape == F.batch_norm(x, [0, 0], [1, 1]).shape == x.shape


X, W = np.ones((2, 4, 5, 3)), np.ones((3, 3, 3, 2))
MEAN, VAR = np.zeros(3), np.ones(3)


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


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
        (lambda: F.max_pool2d(X[0], 2), ValueError, r"x: expected shape \(n, rows, columns, chan"),
        (
            lambda: F.max_pool2d(X, 5),
            ValueError,
            r"kernel_size: expected a window of at most \(4, 5\), got \(5, 5\)",
        ),
        (lambda: F.max_pool2d(X, 0), ValueError, "kernel_size: expected an integer in .*, got 0"),
        (
            lambda: F.avg_pool2d(X, 2, padding=(0, 2)),
            ValueError,
            r"padding: expected less than kernel_size \(2, 2\), got \(0, 2\)",
        ),
        (lambda: F.avg_pool2d(X, 2, count_include_pad=1), TypeError, "count_include_pad: expected"),
        (lambda: F.max_pool2d_backward(X, X, 2), ValueError, r"dy: expected shape \(2, 2, 2, 3\)"),
        (lambda: F.avg_pool2d_backward(X, X, 2), ValueError, r"dy: expected shape \(2, 2, 2, 3\)"),
        (
            lambda: F.batch_norm(X, MEAN[:2], VAR),
            ValueError,
            r"running_mean: expected shape \(3,\), got \(2,\)",
        ),
        (lambda: F.batch_norm(X, MEAN, VAR, [1.0]), ValueError, r"weight: expected shape \(3,\)"),
        (lambda: F.batch_norm(X, None, VAR), TypeError, "running_mean: expected an array unless"),
        (lambda: F.batch_norm(X, MEAN, None), TypeError, "running_var: expected an array unless"),
        (
            lambda: F.batch_norm(X, [0, 0, 0], VAR, training=True),
            TypeError,
            "running_mean: expected an array of floats, which training moves, got list",
        ),
        (
            lambda: F.batch_norm(X, MEAN, frozen(VAR), training=True),
            ValueError,
            "running_var: expected a writable array in training, got a read-only one",
        ),
        (
            lambda: F.batch_norm(X[:0], MEAN, VAR, training=True),
            ValueError,
            "x: expected at least one row in training, got none",
        ),
        (lambda: F.batch_norm(X, MEAN, VAR, momentum=2), ValueError, r"momentum: expected a numbe"),
        (
            lambda: F.batch_norm(X, MEAN, VAR, eps=0),
            ValueError,
            "eps: expected a finite number > 0",
        ),
        (lambda: F.batch_norm_backward(X[0], X, MEAN, VAR), ValueError, "dy: expected shape"),
        (
            lambda: F.layer_norm(X, (4, 3)),
            ValueError,
            r"normalized_shape: expected the last sizes of \(2, 4, 5, 3\), got \(4, 3\)",
        ),
        (lambda: F.layer_norm(X, ()), ValueError, "normalized_shape: expected the last sizes of"),
        (
            lambda: F.layer_norm(X, (5, 3), np.ones(15)),
            ValueError,
            r"weight: expected shape \(5, 3\), got \(15,\)",
        ),
        (lambda: F.layer_norm_backward(X[0], X, 3), ValueError, r"dy: expected shape \(2, 4, 5, 3"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert not MEAN.any()
    assert (VAR == 1).all()
