"""Losses, and their gradients with respect to the first argument.

`reduction` is "mean" (over all values), "sum" or "none". The gradient of "none" is that of each
value, which is the gradient of their sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import check, data
from fastnn.functional.arrays import ISA, Array, check_rank, check_shape, floats, kernels

_REDUCTIONS = ("mean", "sum", "none")


def mse_loss(x: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``(x - target) ** 2``.

    Parameters
    ----------
    x : array of any shape
    target : array of the same shape
        Nothing is broadcast.
    reduction : {"mean", "sum", "none"}, default "mean"

    Returns
    -------
    float, or for "none" an array of x's shape

    Examples
    --------
    >>> mse_loss([1.0, 2.0, 4.0], [1.0, 2.0, 1.0])
    3.0
    >>> mse_loss([1.0, 2.0, 4.0], [1.0, 2.0, 1.0], reduction="none")
    array([0., 0., 9.])
    """
    return _value("mean_squared_error", x, target, reduction)


def mse_loss_backward(x: Any, target: Any, *, reduction: str = "mean") -> Array:
    """Return the gradient of x: ``2 * (x - target)``, for "mean" divided by the number of values.

    Examples
    --------
    >>> mse_loss_backward([1.0, 2.0, 4.0], [1.0, 2.0, 1.0])
    array([0., 0., 2.])
    """
    return _gradient("mean_squared_error", x, target, reduction)


def l1_loss(x: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``abs(x - target)``; arguments as for `mse_loss`.

    Examples
    --------
    >>> l1_loss([1.0, 2.0, 4.0], [1.0, 2.0, 1.0])
    1.0
    """
    return _value("mean_absolute_error", x, target, reduction)


def l1_loss_backward(x: Any, target: Any, *, reduction: str = "mean") -> Array:
    """Return the gradient of x: ``sign(x - target)``, for "mean" divided by the number."""
    return _gradient("mean_absolute_error", x, target, reduction)


def huber_loss(x: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0) -> Any:
    """With e = x - target: ``e ** 2 / 2`` up to ``abs(e) = delta``, a line of slope delta beyond.

    Arguments as for `mse_loss`; smaller values of delta, > 0, mind outliers less.

    References
    ----------
    Huber, "Robust estimation of a location parameter" (1964).

    Examples
    --------
    >>> huber_loss([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    1.0
    """
    return _value("huber", x, target, reduction, delta=delta)


def huber_loss_backward(
    x: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0
) -> Array:
    """Return the gradient of x: e cut to [-delta, delta], for "mean" divided by the number."""
    return _gradient("huber", x, target, reduction, delta=delta)


def binary_cross_entropy_with_logits(
    x: Any, target: Any, weight: Any | None = None, *, reduction: str = "mean"
) -> Any:
    """Return ``-target * log(p) - (1 - target) * log(1 - p)`` with ``p = sigmoid(x)``.

    It is computed as ``log(1 + exp(x)) - x * target``, without clipping.

    Parameters
    ----------
    x : array of any shape
        Logits: any numbers.
    target : array of the same shape
        In [0, 1].
    weight : array of the same shape, optional
        Factors of the values; "mean" still divides by the number of values.
    reduction : {"mean", "sum", "none"}, default "mean"

    Returns
    -------
    float, or for "none" an array of x's shape

    Examples
    --------
    >>> round(binary_cross_entropy_with_logits([0.0, 50.0], [1.0, 1.0]), 4)
    0.3466
    """
    return _value("binary_crossentropy", x, target, reduction, weight)


def binary_cross_entropy_with_logits_backward(
    x: Any, target: Any, weight: Any | None = None, *, reduction: str = "mean"
) -> Array:
    """Return the gradient of x: ``weight * (sigmoid(x) - target)``, "mean": over the number."""
    return _gradient("binary_crossentropy", x, target, reduction, weight)


def cross_entropy(
    x: Any, target: Any, weight: Any | None = None, *, reduction: str = "mean"
) -> Any:
    """Return ``-log(softmax(x)[target])`` of each row.

    Parameters
    ----------
    x : array of shape (n, classes)
        Logits: any numbers.
    target : array of integers of shape (n,)
        Labels in [0, classes).
    weight : array of shape (classes,), optional
        Factor of each class, >= 0; "mean" divides by the sum of the rows' factors.
    reduction : {"mean", "sum", "none"}, default "mean"

    Returns
    -------
    float, or for "none" an array of shape (n,)

    Examples
    --------
    >>> round(cross_entropy([[0.0, 0.0], [99.0, 0.0]], [1, 0]), 4)
    0.3466
    """
    x, labels, factors, total = _labelled(x, target, weight, reduction)
    values, _ = kernels.loss(ISA, "categorical_crossentropy", x, labels, factors)
    return _reduced(values, reduction, total)


def cross_entropy_backward(
    x: Any, target: Any, weight: Any | None = None, *, reduction: str = "mean"
) -> Array:
    """Return the gradient of x: ``softmax(x)``, less 1 at the target, times the row's share.

    The share is the factor of the target's class, for "mean" divided by the sum of those factors.

    Examples
    --------
    >>> cross_entropy_backward([[0.0, 0.0], [0.0, 0.0]], [1, 0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    x, labels, factors, total = _labelled(x, target, weight, reduction)
    scale = 1 / total if reduction == "mean" else 1.0
    return kernels.loss(ISA, "categorical_crossentropy", x, labels, factors, scale)[1]


def nll_loss(x: Any, target: Any, weight: Any | None = None, *, reduction: str = "mean") -> Any:
    """Return ``-x[target]`` of each row of logarithms of probabilities.

    Arguments as for `cross_entropy`, which is this after `log_softmax`.

    Examples
    --------
    >>> nll_loss([[-0.5, -1.5], [-2.0, -0.25]], [1, 1])
    0.875
    """
    x, labels, factors, total = _labelled(x, target, weight, reduction)
    values = -x[np.arange(len(x)), labels]
    return _reduced(values if factors is None else factors * values, reduction, total)


def nll_loss_backward(
    x: Any, target: Any, weight: Any | None = None, *, reduction: str = "mean"
) -> Array:
    """Return the gradient of x: less the row's share at the target, 0 elsewhere.

    Examples
    --------
    >>> nll_loss_backward([[-0.5, -1.5], [-2.0, -0.25]], [1, 1])
    array([[ 0. , -0.5],
           [ 0. , -0.5]])
    """
    x, labels, factors, total = _labelled(x, target, weight, reduction)
    dx: Array = np.zeros_like(x)
    shares = -1.0 if factors is None else -factors
    dx[np.arange(len(x)), labels] = shares / total if reduction == "mean" else shares
    return dx


def kl_div(x: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Any:
    """Return ``target * (log(target) - x)``, the divergence of exp(x) from target.

    Where target is 0 the value is 0.

    Parameters
    ----------
    x : array of any shape
        Logarithms of probabilities, as `log_softmax` gives them.
    target : array of the same shape
        Probabilities, >= 0, or their logarithms if ``log_target``.
    reduction : {"mean", "batchmean", "sum", "none"}, default "mean"
        "batchmean" divides the sum by the number of rows, which is the divergence per row; "mean",
        as PyTorch has it, by the number of values.
    log_target : bool, default False

    Returns
    -------
    float, or for "none" an array of x's shape

    References
    ----------
    Kullback and Leibler, "On information and sufficiency" (1951).

    Examples
    --------
    >>> import numpy as np
    >>> round(kl_div(np.log([[0.5, 0.5]]), [[1.0, 0.0]], reduction="batchmean"), 4)
    0.6931
    """
    x, p, log_p, total = _divergence(x, target, reduction, log_target)
    values = np.zeros_like(x)
    np.multiply(p, log_p - x, out=values, where=p != 0)
    return _reduced(values, reduction, total)


def kl_div_backward(
    x: Any, target: Any, *, reduction: str = "mean", log_target: bool = False
) -> Array:
    """Return the gradient of x: ``-target``, divided by what the reduction divides by."""
    _, p, _, total = _divergence(x, target, reduction, log_target)
    dx: Array = -p / total if reduction in ("mean", "batchmean") else -p
    return dx


def _pair(x: Any, target: Any, weight: Any | None = None) -> list[Any]:
    """Return three arrays of one shape and type; the weight may be None."""
    x, target, weight = floats({"weight": weight}, x=x, target=target)
    check_shape("target", target, x.shape)
    if weight is not None:
        check_shape("weight", weight, x.shape)
    if x.size == 0:
        raise check.wrong_value("x", "at least one value", "none")
    return [x, target, weight]


def _measure(
    kind: str,
    x: Any,
    target: Any,
    reduction: str,
    weight: Any | None,
    delta: float,
) -> tuple[Array, Array]:
    """Return value and gradient of each element; the kernel sees them as rows of one output."""
    check.choice("reduction", reduction, _REDUCTIONS)
    delta = check.number("delta", delta, 0, above=True)
    x, target, weight = _pair(x, target, weight)
    if kind == "binary_crossentropy" and not ((target >= 0) & (target <= 1)).all():
        wrong = target[~((target >= 0) & (target <= 1))][0]
        raise check.wrong_value("target", "values in [0, 1]", wrong)
    z, t = x.reshape(-1, 1), target.reshape(-1, 1)
    factors = None if weight is None else weight.reshape(-1)
    scale = 1 / x.size if reduction == "mean" else 1.0
    values, dz = kernels.loss(ISA, kind, z, t, factors, scale, delta)
    return values.reshape(x.shape), dz.reshape(x.shape)


def _value(
    kind: str,
    x: Any,
    target: Any,
    reduction: str,
    weight: Any | None = None,
    delta: float = 1.0,
) -> Any:
    values, _ = _measure(kind, x, target, reduction, weight, delta)
    return _reduced(values, reduction, values.size)


def _gradient(
    kind: str,
    x: Any,
    target: Any,
    reduction: str,
    weight: Any | None = None,
    delta: float = 1.0,
) -> Array:
    return _measure(kind, x, target, reduction, weight, delta)[1]


def _labelled(
    x: Any, target: Any, weight: Any | None, reduction: str
) -> tuple[Array, Array, Array | None, float]:
    """Return rows, labels, the factor of each row or None, and the sum of the factors."""
    check.choice("reduction", reduction, _REDUCTIONS)
    x, weight = floats({"weight": weight}, x=x)
    check_rank("x", x, "n, classes")
    n, classes = x.shape
    labels = data.convert_labels("target", target, classes)
    if len(labels) != n:
        raise check.wrong_value("target", f"{n} labels, one per row", len(labels))
    if n == 0:
        raise check.wrong_value("x", "at least one row", "none")
    if weight is None:
        return x, labels, None, n
    check_shape("weight", weight, (classes,))
    factors = weight[labels]
    total = float(factors.sum(dtype=np.float64))
    if not (weight >= 0).all() or total == 0:
        expected = "weights >= 0, not all of the targets' 0"
        raise check.wrong_value("weight", expected, weight.tolist())
    return x, labels, factors, total


def _divergence(
    x: Any, target: Any, reduction: str, log_target: bool
) -> tuple[Array, Array, Array, float]:
    """Return x, the target's probabilities and logarithms, and the divisor of a mean."""
    check.choice("reduction", reduction, (*_REDUCTIONS, "batchmean"))
    given_logarithms = check.flag("log_target", log_target)
    x, target, _ = _pair(x, target)
    total = len(x) if reduction == "batchmean" else x.size
    if given_logarithms:
        return x, np.exp(target), target, total
    if not (target >= 0).all():
        raise check.wrong_value("target", "values >= 0", target[~(target >= 0)][0])
    return x, target, np.log(target, out=np.zeros_like(target), where=target > 0), total


def _reduced(values: Array, reduction: str, total: float) -> Any:
    if reduction == "none":
        return values
    whole = float(kernels.sum(ISA, values))
    return whole if reduction == "sum" else whole / total
