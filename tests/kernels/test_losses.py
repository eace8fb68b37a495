import numpy as np
import pytest
from fastnn import _core
from fastnn.reference.losses import LOSSES
from fastnn.reference.metrics import METRICS

from tests import tolerance
from tests.kernels.shapes import SHAPES, SIZES, unaligned

kernels = _core.kernels
FULL_SHAPES = [shape for shape in SHAPES if 0 not in shape]


def examples(kind, shape, dtype, random):
    """Predictions or logits, targets and weights of rows."""
    z = (random.normal(size=shape) * 3).astype(dtype)
    target = random.normal(size=shape).astype(dtype)
    if kind == "binary_crossentropy":
        target = random.integers(0, 2, shape).astype(dtype)
    if kind == "categorical_crossentropy":
        target = random.integers(0, shape[1], shape[0]).astype(np.int32)
    return z, target, random.uniform(0, 2, shape[0]).astype(dtype)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("shape", FULL_SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_equal_the_reference(isa, dtype, kind, shape, weighted, random):
    z, target, weights = examples(kind, shape, dtype, random)
    wide = z.astype(np.float64), target.astype(np.float64 if target.ndim > 1 else np.int64)
    settings = {"delta": 0.7} if kind == "huber" else {}
    scale = weights if weighted else np.ones_like(weights)
    losses, dz = kernels.loss(isa, kind, z, target, weights if weighted else None, 0.25, 0.7)
    bound = tolerance.sums(dtype, shape[1])
    expected = LOSSES[kind].value(*wide, **settings) * scale
    assert tolerance.close(losses, expected, bound)
    expected = LOSSES[kind].gradient(*wide, **settings) * scale[:, None] * 0.25
    assert tolerance.close(dz, expected, bound)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("n", [1, 3])
def test_no_rows_give_no_losses(isa, dtype, kind, n, random):
    losses, dz = kernels.loss(isa, kind, *examples(kind, (0, n), dtype, random))
    assert losses.shape == (0,)
    assert dz.shape == (0, n)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("n", [1, 5, 16, 19])
def test_rows_may_be_cut_anywhere(isa, dtype, kind, n, random):
    z, target, weights = examples(kind, (37, n), dtype, random)
    whole = kernels.loss(isa, kind, z, target, weights)
    parts = [
        kernels.loss(isa, kind, unaligned(z[a:b]), target[a:b], weights[a:b])
        for a, b in ((0, 1), (1, 20), (20, 37))
    ]
    for expected, actual in zip(whole, zip(*parts, strict=True), strict=True):
        assert np.concatenate(actual).tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", ["binary_crossentropy", "categorical_crossentropy"])
def test_losses_of_confident_logits_are_exact(isa, dtype, kind):
    z = np.array([[1e4, -1e4]], dtype)
    right, wrong = ([0], [1]) if kind.startswith("cat") else ([[1, 0]], [[0, 1]])
    target = np.int32 if kind.startswith("cat") else dtype
    losses, dz = kernels.loss(isa, kind, z, np.array(right, target), None)
    assert losses.tolist() == [0]
    assert dz.tolist() == [[0, 0]]
    losses, dz = kernels.loss(isa, kind, z, np.array(wrong, target), None)
    assert losses.tolist() == [2e4 if kind.startswith("cat") else 1e4]
    assert np.abs(dz).tolist() == ([[1, 1]] if kind.startswith("cat") else [[0.5, 0.5]])


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("n", [2, 17])
def test_nan_reaches_the_loss_of_its_row_alone(isa, dtype, kind, n, random):
    z, target, _ = examples(kind, (4, n), dtype, random)
    z[2, n - 1] = np.nan
    losses, dz = kernels.loss(isa, kind, z, target, None)
    assert np.isnan(losses).tolist() == [False, False, True, False]
    assert np.isfinite(dz[[0, 1, 3]]).all()


def test_gradient_of_equal_prediction_and_target_is_zero(isa, dtype):
    z = np.ones((2, 18), dtype)
    for kind in ("mean_squared_error", "mean_absolute_error", "huber"):
        losses, dz = kernels.loss(isa, kind, z, z, None)
        assert not losses.any()
        assert not dz.any()


@pytest.mark.parametrize("shape", FULL_SHAPES)
def test_metrics_equal_the_reference(isa, dtype, shape, random):
    z, target, weights = examples("mean_squared_error", shape, dtype, random)
    labels = random.integers(0, shape[1], shape[0]).astype(np.int32)
    signs = random.integers(0, 2, shape).astype(dtype)
    bound = tolerance.sums(dtype, shape[1])
    for kind, name in (("squared", "mean_squared_error"), ("absolute", "mean_absolute_error")):
        actual = kernels.metric(isa, kind, z, target, weights)
        assert tolerance.close(actual, METRICS[name](z, target) * weights, bound)
    actual = kernels.metric(isa, "binary", z, signs, weights, 0.5)
    assert tolerance.close(actual, METRICS["accuracy"](z, signs) * weights, bound)
    actual = kernels.metric(isa, "labels", z, labels, None)
    assert actual.tolist() == METRICS["accuracy"](z, labels).tolist()


def test_first_of_equal_maxima_counts(isa, dtype):
    z = np.zeros((3, 20), dtype)
    z[:, [4, 18]] = 2
    labels = np.array([4, 18, 0], np.int32)
    assert kernels.metric(isa, "labels", z, labels, None).tolist() == [1, 0, 0]


@pytest.mark.parametrize("size", SIZES)
def test_sums_are_in_double_and_the_same_on_every_instruction_set(isa, dtype, size, random):
    x = random.normal(size=size).astype(dtype)
    total, squares = kernels.sum(isa, x), kernels.sum_squares(isa, x)
    assert total == pytest.approx(x.sum(dtype=np.float64), rel=1e-12, abs=1e-12)
    assert squares == pytest.approx(np.square(x, dtype=np.float64).sum(), rel=1e-13)
    assert total == kernels.sum("baseline", x)
    if dtype == np.float32:
        assert squares == kernels.sum_squares("baseline", x)


@pytest.mark.parametrize("shape", SHAPES)
def test_activity_penalty_adds_to_loss_and_gradient(isa, dtype, shape, random):
    x, dy = random.normal(size=shape).astype(dtype), random.normal(size=shape).astype(dtype)
    weights = random.uniform(0, 2, shape[0]).astype(dtype)
    x[:, ::3] = 0
    penalties, dx = kernels.activity_penalty(isa, x, 0.5, 0.25, weights, 0.125, dy)
    wide, column = x.astype(np.float64), weights[:, None]
    expected = (0.5 * np.abs(wide) + 0.25 * wide**2).sum(axis=1) * weights
    assert tolerance.close(penalties, expected, tolerance.sums(dtype, shape[1]))
    expected = dy + column * 0.125 * (0.5 * np.sign(wide) + 2 * 0.25 * wide)
    assert tolerance.close(dx, expected, tolerance.sums(dtype, 1))


def test_labels_outside_are_refused(dtype):
    with pytest.raises(ValueError, match=r"target: expected values in \[0, 3\), got 3 at position"):
        kernels.loss(
            "baseline",
            "categorical_crossentropy",
            np.zeros((1, 3), dtype),
            np.array([3], np.int32),
            None,
        )
