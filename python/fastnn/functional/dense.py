"""Matrix product with a bias."""

from __future__ import annotations

from typing import Any

from fastnn import check
from fastnn.functional.arrays import (
    ISA,
    Array,
    as_matrix,
    check_rank,
    check_shape,
    floats,
    kernels,
)


def linear(x: Any, weight: Any, bias: Any | None = None) -> Array:
    """Return ``x @ weight + bias``.

    The weights are (inputs, outputs), as in `Dense` and ``get_weights()``. PyTorch keeps them
    (outputs, inputs): give ``weight.T`` for weights that come from there.

    Parameters
    ----------
    x : array of shape (..., inputs)
    weight : array of shape (inputs, outputs)
    bias : array of shape (outputs,), optional

    Returns
    -------
    array of shape (..., outputs)

    Examples
    --------
    >>> linear([[1.0, 2.0]], [[1.0, 0.0, 3.0], [0.0, 1.0, 4.0]], [0.5, 0.5, 0.5])
    array([[ 1.5,  2.5, 11.5]])
    """
    x, weight, bias = floats({"bias": bias}, x=x, weight=weight)
    _check_weight(x, weight)
    if bias is not None:
        check_shape("bias", bias, (weight.shape[1],))
    y = kernels.dense_forward(ISA, as_matrix(x), weight, bias)
    return y.reshape(*x.shape[:-1], weight.shape[1])


def linear_backward(dy: Any, x: Any, weight: Any) -> tuple[Array, Array, Array]:
    """Return the gradients of x, weight and bias.

    ``dx = dy @ weight.T``, ``dweight = x.T @ dy`` and ``dbias``, the sum of dy, over all rows.

    Examples
    --------
    >>> dx, dweight, dbias = linear_backward([[1.0, 2.0]], [[3.0]], [[4.0, 5.0]])
    >>> dx, dweight, dbias
    (array([[14.]]), array([[3., 6.]]), array([1., 2.]))
    """
    dy, x, weight = floats(dy=dy, x=x, weight=weight)
    _check_weight(x, weight)
    check_shape("dy", dy, (*x.shape[:-1], weight.shape[1]))
    dz = as_matrix(dy)
    dx = kernels.dense_backward_inputs(ISA, dz, weight).reshape(x.shape)
    dweight = kernels.dense_backward_weights(ISA, as_matrix(x), dz)
    return dx, dweight, kernels.column_sums(ISA, dz)


def _check_weight(x: Array, weight: Array) -> None:
    check_rank("weight", weight, "inputs, outputs")
    if weight.shape[0] != x.shape[-1]:
        swapped = weight.shape[1] == x.shape[-1]
        remedy = "weights are (inputs, outputs), give weight.T" if swapped else ""
        expected = f"shape ({x.shape[-1]}, outputs)"
        raise check.wrong_value("weight", expected, weight.shape, remedy)
