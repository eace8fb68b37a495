"""What the functions share: arrays as the kernels take them, and the kernels in use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import _core, check, data

Array = NDArray[Any]

ISA = _core.instruction_set()
kernels = _core.kernels


def floats(optional: Mapping[str, Any] | None = None, **given: Any) -> list[Any]:
    """Return C-contiguous arrays of one float type; an optional one that is None stays None."""
    optional = optional or {}
    present = given | {name: value for name, value in optional.items() if value is not None}
    arrays = {name: _numbers(name, value) for name, value in present.items()}
    dtype = _common_dtype([arrays[name] for name in arrays if _has_dtype(present[name])])
    ready = {name: np.require(array, dtype, ["C", "A"]) for name, array in arrays.items()}
    return [ready.get(name) for name in (*given, *optional)]


def ids(argument: str, given: Any, bound: int) -> Array:
    """Return int32 of whole numbers in [0, bound), of any shape but ()."""
    array, _ = data.native(argument, given)
    return data.convert_ids(argument, array, array.shape[1:], bound)


def check_shape(argument: str, array: Array, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape."""
    if array.shape != shape:
        raise check.wrong_value(argument, f"shape {shape}", array.shape)


def check_rank(argument: str, array: Array, axes: str) -> None:
    """Refuse an array with another number of axes than are named, as in "n, k"."""
    if array.ndim != axes.count(",") + 1:
        raise check.wrong_value(argument, f"shape ({axes})", array.shape)


def as_matrix(x: Array) -> Array:
    """Return (..., n) as (m, n)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _numbers(argument: str, given: Any) -> Array:
    array, _ = data.native(argument, given)
    if array.dtype.kind not in "fiub":
        raise check.wrong_type(argument, "real numbers", got=f"dtype {array.dtype}")
    return array


def _has_dtype(given: Any) -> bool:
    return not isinstance(given, list | tuple | int | float)


def _common_dtype(arrays: list[Array]) -> str:
    """Return the float type of the widest array of floats; those of 16 bits count as 32."""
    sizes = [array.dtype.itemsize for array in arrays if array.dtype.kind == "f"]
    return "float32" if sizes and max(sizes) <= 4 else "float64"
