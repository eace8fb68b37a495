"""Functions of arrays: against differences, the reference and PyTorch; what they accept."""

from typing import Any

import numpy as np
import pytest
from fastnn.reference import dense, losses, rng
from fastnn.reference import embedding as tables
from fastnn.reference.activations import ACTIVATIONS

from tests.functional.cases import (
    BAGS,
    CASES,
    ELEMENTWISE,
    MASK_OF,
    F,
    normal,
    random,
)
from tests.reference.differences import numeric_gradient
from tests.tolerance import DIFFERENCES, SAME_FORMULA, close

BACKWARD = [name for name in F.__all__ if name.endswith("_backward")]


def test_every_function_has_a_gradient_and_a_case():
    names = {name for name in F.__all__ if name not in BACKWARD} - {"RowGradient"}
    assert {f"{name}_backward" for name in names} == set(BACKWARD)
    assert names == {case.name for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_equal_differences(case):
    arguments = case.arrays(np.float64)
    y = np.asarray(case.forward(*arguments))
    dy = np.ones(y.shape) if case.is_loss else normal(*y.shape)
    found = case.backward(dy, *arguments)
    assert len(found) == len(case.wanted)
    for place, gradient in zip(case.wanted, found, strict=True):
        expected = numeric_gradient(lambda: np.sum(dy * case.forward(*arguments)), arguments[place])
        if "padding_idx" in case.settings and case.name == "embedding":
            expected[case.settings["padding_idx"]] = 0
        assert close(gradient, expected, DIFFERENCES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float32_is_float64_rounded(case):
    single, double = case.arrays(np.float32), case.arrays(np.float64)
    y, expected = case.forward(*single), case.forward(*double)
    assert close(y, expected, 1e-6)
    dy = normal(*np.shape(y))
    gradients = case.backward(dy.astype(np.float32), *single), case.backward(dy, *double)
    for found, wanted in zip(*gradients, strict=True):
        assert (found.dtype, wanted.dtype) == (np.float32, np.float64)
        assert close(found, wanted, 1e-6)


# --- the reference ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ELEMENTWISE, "softmax"])
def test_activations_equal_the_reference(name):
    x, dy = 4 * normal(6, 11), normal(6, 11)
    y = ACTIVATIONS[name].forward(x)
    assert close(getattr(F, name)(x), y, SAME_FORMULA)
    expected = ACTIVATIONS[name].backward(x, y, dy)
    assert close(getattr(F, name + "_backward")(dy, x), expected, SAME_FORMULA)


def test_linear_equals_the_reference():
    x, w, b, dy = normal(6, 5), normal(5, 3), normal(3), normal(6, 3)
    assert close(F.linear(x, w, b), dense.dense_forward(x, w, b), SAME_FORMULA)
    dx, dw, db = F.linear_backward(dy, x, w)
    assert close(dx, dense.dense_backward_inputs(dy, w), SAME_FORMULA)
    assert close(dw, dense.dense_backward_weights(x, dy), SAME_FORMULA)
    assert close(db, dense.dense_backward_bias(dy), SAME_FORMULA)


@pytest.mark.parametrize(
    ("name", "twin", "settings"),
    [
        ("mse_loss", "mean_squared_error", {}),
        ("l1_loss", "mean_absolute_error", {}),
        ("huber_loss", "huber", {"delta": 0.5}),
        ("binary_cross_entropy_with_logits", "binary_crossentropy", {}),
        ("cross_entropy", "categorical_crossentropy", {}),
    ],
)
def test_losses_equal_the_reference(name, twin, settings):
    x = 2 * normal(6, 4)
    y = random.integers(0, 4, 6) if name == "cross_entropy" else random.uniform(size=(6, 4))
    loss = losses.LOSSES[twin]
    assert close(getattr(F, name)(x, y, **settings), loss.value(x, y, **settings).mean(), 1e-14)
    expected = loss.gradient(x, y, **settings) / len(x)
    assert close(getattr(F, name + "_backward")(x, y, **settings), expected, SAME_FORMULA)


@pytest.mark.parametrize("mode", ["sum", "mean", "sqrtn"])
def test_weighted_bags_equal_the_reference(mode):
    v, weights, dy = normal(6, 4), random.uniform(size=(5, 3)), normal(5, 4)
    held = BAGS != 2
    settings = {"mode": mode, "per_sample_weights": weights, "padding_idx": 2}
    expected = tables.bag_forward(v, BAGS, weights, held, mode)
    assert close(F.embedding_bag(BAGS, v, **settings), expected, SAME_FORMULA)
    rows, dweights = F.embedding_bag_backward(dy, BAGS, v, **settings)
    twin, expected = tables.bag_backward(v, BAGS, weights, held, mode, dy)
    assert np.array_equal(rows.rows, twin.rows)
    assert close(rows.values, twin.values, SAME_FORMULA)
    assert close(dweights, expected, SAME_FORMULA)


def test_dropout_draws_the_mask_of_the_layer():
    x = normal(6, 10)
    kept = rng.noise_uniform(9, 1, 4, 6, 10) >= 0.4
    assert close(F.dropout(x, 0.4, **MASK_OF), np.where(kept, x / 0.6, 0), SAME_FORMULA)
    assert np.array_equal(F.dropout(x, 0.4, training=False, seed=1), x)
    assert not np.array_equal(F.dropout(x, seed=1), F.dropout(x, seed=1, step=1))
    assert not F.dropout(x, 1.0, seed=1).any()


# --- PyTorch ----------------------------------------------------------------------------------


def has_a_twin_in_torch(case):
    """Whether PyTorch has the function, and these arguments for it."""
    same_with_strides = case.settings.get("padding") == "same" and (
        "stride" in case.settings or "pool" in case.name
    )
    return case.name != "dropout" and "sqrtn" not in str(case) and not same_with_strides


def torchs(torch, case, arguments):
    """Return what PyTorch makes of our arguments, channels last and weights' outputs last."""
    function = getattr(torch.nn.functional, case.name)
    x, *rest = arguments
    settings = dict(case.settings)
    if "softmax" in case.name:
        settings.setdefault("dim", -1)
    if case.name == "linear":
        return function(x, rest[0].T, rest[1])
    if case.name.startswith("conv"):
        rest[0] = rest[0].movedim((-1, -2), (0, 1))
    if case.name.startswith("conv") or "pool" in case.name or case.name == "batch_norm":
        return function(x.movedim(-1, 1), *rest, **settings).movedim(1, -1)
    return function(x, *rest, **settings)


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [case for case in CASES if has_a_twin_in_torch(case)], ids=str)
def test_value_and_gradient_equal_torchs(case, dtype):
    torch = pytest.importorskip("torch")
    arguments = case.arrays(dtype)
    theirs: list[Any] = [
        torch.from_numpy(np.copy(x)) if isinstance(x, np.ndarray) else x for x in arguments
    ]
    for place in case.wanted:
        if theirs[place] is not None:
            theirs[place].requires_grad_()
    expected = torchs(torch, case, theirs)

    y = case.forward(*arguments)
    tolerance = 1e-6 if dtype == "float32" else SAME_FORMULA
    assert close(y, expected.detach().numpy(), tolerance)
    dy = np.ones(np.shape(y), dtype) if case.is_loss else normal(*np.shape(y)).astype(dtype)
    expected.backward(torch.from_numpy(np.asarray(dy)))
    for place, found in zip(case.wanted, case.backward(dy, *arguments), strict=True):
        assert close(found, theirs[place].grad.numpy(), tolerance)


# --- what comes in and what goes out ------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "weight", "dtype"),
    [
        (np.float32, np.float32, "float32"),
        (np.float32, np.float64, "float64"),
        (np.float16, np.float16, "float32"),
        (np.int64, np.float32, "float32"),
        (np.int64, np.int8, "float64"),
        (">f4", np.float32, "float32"),
        (list, np.float32, "float32"),
        (list, list, "float64"),
    ],
)
def test_the_widest_float_decides_the_type(x, weight, dtype):
    ones = np.ones((2, 2))
    given = [ones.tolist() if kind is list else ones.astype(kind) for kind in (x, weight)]
    y = F.linear(*given)
    assert y.dtype == dtype
    assert (y == 2).all()


def test_strided_and_read_only_arrays_are_taken_and_nothing_is_written():
    x = normal(8, 6)[::2, ::-1]
    x.flags.writeable = False
    held = x.copy()
    assert np.array_equal(F.relu(x), np.maximum(held, 0))
    assert F.dropout(x, 0.0, seed=1) is not x
    assert np.array_equal(x, held)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_and_infinity_pass(name):
    y = getattr(F, name)([np.nan, np.inf, 1.0])
    assert np.isnan(y[0])
    assert np.isfinite(y[1:]).all() == (name in ("sigmoid", "tanh"))


@pytest.mark.parametrize("name", [*ELEMENTWISE, "softmax", "log_softmax"])
def test_no_rows_give_no_rows(name):
    x = np.zeros((0, 3), np.float32)
    assert getattr(F, name)(x).shape == (0, 3)
    assert getattr(F, name + "_backward")(x, x).shape == (0, 3)


def test_extreme_logits_stay_exact():
    assert F.cross_entropy([[1e4, -1e4]], [1], reduction="sum") == 2e4
    assert F.binary_cross_entropy_with_logits([-1e4, 1e4], [1.0, 0.0]) == 1e4
    assert F.log_softmax([[1e4, -1e4]]).tolist() == [[0.0, -2e4]]
    assert F.kl_div([[0.0, -np.inf]], [[1.0, 0.0]]) == 0


def test_gradient_of_a_table_holds_the_rows_looked_up_alone():
    g = F.embedding_backward(np.ones((4, 2), np.float32), [7, 1, 7, 0], np.zeros((9, 2)), 0)
    assert g.rows.dtype == np.int64
    assert g.rows.tolist() == [1, 7]
    assert g.values.tolist() == [[1, 1], [2, 2]]
    none = F.embedding_backward(np.ones((2, 2)), [3, 3], np.zeros((9, 2)), padding_idx=3)
    assert none.rows.size == 0
    assert none.values.shape == (0, 2)


X, W, TABLE = np.ones((4, 3)), np.ones((3, 2)), np.ones((5, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.relu(["a"]), TypeError, "x: expected real numbers, got dtype <U1"),
        (lambda: F.relu(None), TypeError, "x: expected an array, got None"),
        (lambda: F.relu(1.0), ValueError, "x: expected an array of rows, got a single value"),
        (lambda: F.tanh([[1], [1, 2]]), ValueError, "x: expected rows of equal length, got ragged"),
        (lambda: F.relu_backward(X, X.T), ValueError, r"dy: expected shape \(3, 4\), got \(4, 3\)"),
        (lambda: F.linear(X, W.T), ValueError, r"weight: .* got \(2, 3\); weights are .* weight.T"),
        (lambda: F.linear(X, TABLE), ValueError, r"expected shape \(3, outputs\), got \(5, 2\)$"),
        (lambda: F.linear(X, W[0]), ValueError, r"weight: expected shape \(inputs, outputs\), got"),
        (lambda: F.linear(X, W, [1.0]), ValueError, r"bias: expected shape \(2,\), got \(1,\)"),
        (lambda: F.linear_backward(X, X, W), ValueError, r"dy: expected shape \(4, 2\), got"),
        (lambda: F.softmax(X, 2), ValueError, r"dim: expected an integer in \[-2, 1\], got 2"),
        (lambda: F.softmax(X[:, :0]), ValueError, "x: expected at least one value along dim -1"),
        (lambda: F.dropout(X, 1.5, seed=1), ValueError, r"p: expected a number in \[0, 1\], got"),
        (lambda: F.dropout(X, seed=-1), ValueError, "seed: expected an integer in"),
        (lambda: F.dropout(X, training=1, seed=1), TypeError, "training: expected True or False"),
        (lambda: F.embedding([5], TABLE), ValueError, r"ids: expected values in \[0, 5\), got 5"),
        (lambda: F.embedding([0.5], TABLE), TypeError, "ids: expected integer ids, got dtype fl"),
        (lambda: F.embedding([1], TABLE[0]), ValueError, r"weight: expected shape \(v, d\), got"),
        (lambda: F.embedding([1], TABLE, 5), ValueError, "padding_idx: expected an integer in"),
        (lambda: F.embedding_backward(X, [1], TABLE), ValueError, r"dy: expected shape \(1, 2\)"),
        (lambda: F.embedding_bag([1], TABLE), ValueError, r"ids: expected shape \(m, k\), got"),
        (
            lambda: F.embedding_bag([[1]], TABLE, mode="min"),
            ValueError,
            "mode: expected one of sum, mean, sqrtn, max, got 'min'",
        ),
        (
            lambda: F.embedding_bag([[1]], TABLE, per_sample_weights=[1.0]),
            ValueError,
            r"per_sample_weights: expected shape \(1, 1\), got \(1,\)",
        ),
        (
            lambda: F.embedding_bag([[1]], TABLE, mode="max", per_sample_weights=[[1.0]]),
            ValueError,
            "per_sample_weights: expected None for mode max",
        ),
        (lambda: F.mse_loss(X, X[:1]), ValueError, r"target: expected shape \(4, 3\), got \(1, 3"),
        (lambda: F.mse_loss([], []), ValueError, "x: expected at least one value, got none"),
        (
            lambda: F.l1_loss(X, X, reduction="max"),
            ValueError,
            "reduction: expected one of mean, sum, none, got 'max'",
        ),
        (lambda: F.huber_loss(X, X, delta=0), ValueError, "delta: expected a finite number > 0"),
        (
            lambda: F.binary_cross_entropy_with_logits(X, 2 * X),
            ValueError,
            r"target: expected values in \[0, 1\], got 2.0",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(X, X, [1.0]),
            ValueError,
            r"weight: expected shape \(4, 3\), got \(1,\)",
        ),
        (lambda: F.cross_entropy(X[0], [1]), ValueError, r"x: expected shape \(n, classes\), got"),
        (lambda: F.cross_entropy(X, [0]), ValueError, "target: expected 4 labels, one per row"),
        (lambda: F.cross_entropy(X, [0, 1, 2, 3]), ValueError, r"values in \[0, 3\), got 3 at row"),
        (lambda: F.cross_entropy(X, X), ValueError, "integer labels .* y.argmax"),
        (lambda: F.cross_entropy(X[:0], []), ValueError, "x: expected at least one row, got none"),
        (lambda: F.nll_loss(X, [0] * 4, [1.0]), ValueError, r"weight: expected shape \(3,\)"),
        (lambda: F.nll_loss(X, [0] * 4, [0, 1, 1]), ValueError, "weight: expected weights >= 0"),
        (lambda: F.kl_div(X, -X), ValueError, "target: expected values >= 0, got -1.0"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
