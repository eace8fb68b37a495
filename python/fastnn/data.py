"""The border: whatever a caller gives becomes checked, C-contiguous arrays of one dtype, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import check

Array = NDArray[Any]

_NATIVE = {name: np.dtype(name) for name in ("float32", "float64")}
_BLOCK = 1 << 18  # elements checked at a time, so that checking needs next to no memory


class InputSpec(NamedTuple):
    """What a model wants for one of its inputs; `vocabulary` is None for numbers."""

    name: str
    shape: tuple[int, ...]
    vocabulary: int | None


class TargetSpec(NamedTuple):
    """What a model wants for one of its outputs: values, probabilities or labels."""

    name: str
    shape: tuple[int, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class Examples:
    """Arrays that an engine takes; one row of each makes an example."""

    inputs: list[Array]
    targets: list[Array]
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def split(self, n: int) -> tuple[Examples, Examples]:
        """Return the first n examples and the rest, as views."""
        return self._rows(slice(None, n)), self._rows(slice(n, None))

    def _rows(self, rows: slice) -> Examples:
        weights = None if self.weights is None else self.weights[rows]
        return Examples([x[rows] for x in self.inputs], [y[rows] for y in self.targets], weights)


def convert_inputs(
    argument: str, given: Any, specs: Sequence[InputSpec], dtype: str
) -> list[Array]:
    """Return one checked array per input, all of the same length."""
    arrays = []
    for label, value, spec in _parts(argument, given, specs):
        if spec.vocabulary is None:
            arrays.append(convert_numbers(label, value, spec.shape, dtype))
        else:
            arrays.append(convert_ids(label, value, spec.shape, spec.vocabulary))
    _same_length(argument, arrays, specs)
    if not len(arrays[0]):
        raise check.wrong_value(argument, "at least one row", "none")
    return arrays


def convert_targets(
    argument: str, given: Any, specs: Sequence[TargetSpec], dtype: str, n: int
) -> list[Array]:
    """Return one checked array of n rows per output."""
    arrays = []
    for label, value, spec in _parts(argument, given, specs):
        if spec.kind == "labels":
            arrays.append(convert_labels(label, value, spec.shape[-1]))
            continue
        array = convert_floats(label, value, spec.shape, dtype)
        if spec.kind == "probabilities":
            _check_all(label, "values in [0, 1]", array, lambda y: (y >= 0) & (y <= 1))
        arrays.append(array)
    for array in arrays:
        if len(array) != n:
            raise check.wrong_value(argument, f"{n} rows as in x", len(array))
    return arrays


def convert_weights(argument: str, given: Any, n: int, dtype: str) -> Array | None:
    """Return one weight >= 0 per row, not all of them 0; None stays None."""
    if given is None:
        return None
    weights = convert_floats(argument, given, (), dtype)
    if len(weights) != n:
        raise check.wrong_value(argument, f"{n} weights, one per row", len(weights))
    _check_all(argument, "weights >= 0", weights, lambda w: w >= 0)
    if not weights.any():
        raise check.wrong_value(argument, "at least one weight above 0", "zeros only")
    return weights


def convert_numbers(argument: str, given: Any, shape: tuple[int, ...], dtype: str) -> Array:
    """Return rows of an input: bytes stay bytes, engines convert a batch of them at a time."""
    if _is_ready(given, shape, dtype):
        return given  # type: ignore[no-any-return]
    array, columns = native(argument, given)
    if array.dtype == np.uint8:
        return np.require(_with_shape(argument, array, shape), requirements=["C", "A"])
    return _floats(argument, array, columns, shape, dtype)


def convert_floats(argument: str, given: Any, shape: tuple[int, ...], dtype: str) -> Array:
    """Return finite numbers as rows of `shape`; (n,) will do for rows of one number."""
    if _is_ready(given, shape, dtype):
        return given  # type: ignore[no-any-return]
    return _floats(argument, *native(argument, given), shape, dtype)


def _floats(
    argument: str, array: Array, columns: list[str] | None, shape: tuple[int, ...], dtype: str
) -> Array:
    if array.dtype.kind == "c":
        raise check.wrong_type(argument, "real numbers", got=f"dtype {array.dtype}")
    array = _objects_to_floats(argument, array, columns)
    if array.dtype.kind not in "fiub":
        raise check.wrong_type(argument, "numbers", got=f"dtype {array.dtype}")
    array = _with_shape(argument, array, shape)
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.require(array, dtype, ["C", "A"])
    position = _first_false(converted, np.isfinite)
    if position is not None:
        got = array[position]
        if np.isfinite(got):
            limit = float(np.finfo(dtype).max)
            got, expected = f"{got:g}", f"numbers within +-{limit:.3g} ({dtype})"
            raise check.wrong_value(argument, expected, got + _place(position, columns))
        raise check.wrong_value(argument, "finite numbers", f"{got}" + _place(position, columns))
    return converted


def _is_ready(given: Any, shape: tuple[int, ...], dtype: str) -> bool:
    """Whether an array can be used as it is: one pass over it, no copy, no temporary array."""
    return (
        type(given) is np.ndarray
        and given.dtype is _NATIVE[dtype]
        and given.shape[1:] == shape
        and given.size > 0
        and given.flags.c_contiguous
        and given.flags.aligned
        # A sum of squares is finite only if every number is; an overflow goes the long way.
        and math.isfinite(np.vdot(given, given))
    )


def convert_ids(argument: str, given: Any, shape: tuple[int, ...], vocabulary: int) -> Array:
    """Return ids of [0, vocabulary) as int32; floats, bools and strings are refused."""
    array, _ = native(argument, given)
    array = _with_shape(argument, _integers(argument, "integer ids", array), shape)
    return _below(argument, array, vocabulary)


def convert_labels(argument: str, given: Any, classes: int) -> Array:
    """Return labels of [0, classes) as int32 of shape (n,)."""
    array, _ = native(argument, given)
    if array.ndim == 2 and array.shape[1] == classes > 1:
        got = f"shape {array.shape}"
        remedy = "for one-hot rows give y.argmax(axis=1)"
        raise check.wrong_value(argument, "integer labels of shape (n,)", got, remedy)
    array = _integers(argument, "integer labels", array)
    return _below(argument, _with_shape(argument, array, ()), classes)


def convert_whole(argument: str, given: Any) -> Array:
    """Return whole numbers of shape (n,)."""
    array, _ = native(argument, given)
    return _integers(argument, "whole numbers", _with_shape(argument, array, ()))


def native(argument: str, given: Any) -> tuple[Array, list[str] | None]:
    """Return an array of the machine's byte order, and the names of its columns if it has some."""
    columns = None
    if given is None:
        raise check.wrong_type(argument, "an array", given)
    if hasattr(given, "toarray") and hasattr(given, "nnz"):
        raise check.wrong_type(
            argument, "a dense array", got="a sparse matrix", remedy="use .toarray()"
        )
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise check.wrong_type(argument, "an array without a mask", got="masked values")
    if not isinstance(given, np.ndarray | list | tuple | np.generic | int | float):
        given, columns = _from_frame(given)
    try:
        array = np.asarray(given)
    except ValueError:
        raise check.wrong_value(argument, "rows of equal length", "ragged rows") from None
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim == 0:
        raise check.wrong_value(argument, "an array of rows", "a single value")
    return array, columns


def one_dimensional(argument: str, given: Any) -> Array:
    """Return a column of anything (ids of users, classes) as an array of shape (n,)."""
    array, _ = native(argument, given)
    return _with_shape(argument, array, ())


def _from_frame(given: Any) -> tuple[Any, list[str] | None]:
    """Return the array of a table or a column of pandas, polars, pyarrow..., and its columns."""
    import narwhals as nw

    frame = nw.from_native(given, pass_through=True, allow_series=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, nw.DataFrame):
        return frame.to_numpy(), [str(name) for name in frame.columns]
    if isinstance(frame, nw.Series):
        return frame.to_numpy(), None
    return given, None


def _parts(argument: str, given: Any, specs: Sequence[Any]) -> list[tuple[str, Any, Any]]:
    """Return (label for messages, value, spec) for each of several arrays in a list or a dict."""
    if isinstance(given, Mapping):
        names = [spec.name for spec in specs]
        if sorted(map(str, given)) != sorted(names):
            got = ", ".join(map(str, given)) or "nothing"
            raise check.wrong_value(argument, "arrays named " + ", ".join(names), got)
        return [(f"{argument}[{spec.name!r}]", given[spec.name], spec) for spec in specs]
    if len(specs) == 1:
        single = isinstance(given, list | tuple) and len(given) == 1 and _is_array(given[0])
        return [(argument, given[0] if single else given, specs[0])]
    if not isinstance(given, list | tuple):
        raise check.wrong_type(argument, f"a list or dict of {len(specs)} arrays", given)
    if len(given) != len(specs):
        raise check.wrong_value(argument, f"{len(specs)} arrays", len(given))
    return [
        (f"{argument}[{spec.name!r}]", value, spec)
        for value, spec in zip(given, specs, strict=True)
    ]


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 1


def _same_length(argument: str, arrays: Sequence[Array], specs: Sequence[InputSpec]) -> None:
    for array, spec in zip(arrays, specs, strict=True):
        if len(array) != len(arrays[0]):
            expected = f"{len(arrays[0])} rows as in {specs[0].name!r}"
            raise check.wrong_value(f"{argument}[{spec.name!r}]", expected, len(array))


def _with_shape(argument: str, array: Array, shape: tuple[int, ...]) -> Array:
    """Return `array` as (n, *shape); the last axis of one may be missing, one number have any."""
    if array.shape[1:] == shape:
        return array
    if (*array.shape[1:], 1) == shape:
        return array[..., np.newaxis]
    if math.prod(shape) == math.prod(array.shape[1:]) == 1:
        return array.reshape(len(array), *shape)
    wanted = f"shape ({', '.join(['n', *map(str, shape)])}{',' if not shape else ''})"
    raise check.wrong_value(argument, wanted, array.shape)


def _integers(argument: str, expected: str, array: Array) -> Array:
    """Return an array of an integer dtype, also for an array of Python ints."""
    if array.dtype == object:
        for item in array.flat:
            if isinstance(item, bool) or not isinstance(item, int | np.integer):
                raise check.wrong_type(
                    argument, expected, got=f"{type(item).__name__} {item!r:.40}"
                )
        try:
            array = array.astype(np.int64)
        except OverflowError:
            raise check.wrong_value(argument, expected, "a number beyond int64") from None
    if array.dtype.kind not in "iu" and array.size:
        remedy = "give .astype('int32') of whole numbers" if array.dtype.kind == "f" else ""
        raise check.wrong_type(argument, expected, got=f"dtype {array.dtype}", remedy=remedy)
    return array


def _below(argument: str, array: Array, bound: int) -> Array:
    """Return int32 of whole numbers in [0, bound)."""
    if array.size and (array.min() < 0 or array.max() >= bound):
        position = _first_false(array, lambda block: (block >= 0) & (block < bound))
        assert position is not None
        got = f"{array[position]}{_place(position, None)}"
        raise check.wrong_value(argument, f"values in [0, {bound})", got)
    return np.require(array, np.int32, ["C", "A"])


def _objects_to_floats(argument: str, array: Array, columns: list[str] | None) -> Array:
    """Return float64 for an array of Python numbers; anything else in it is named."""
    if array.dtype != object:
        return array
    for position, item in np.ndenumerate(array):
        if item is None:
            raise check.wrong_value(argument, "numbers", "None" + _place(position, columns))
        if isinstance(item, str | complex) or not hasattr(item, "__float__"):
            got = f"{type(item).__name__} {str(item)[:40]!r}" + _place(position, columns)
            raise check.wrong_type(argument, "numbers", got=got)
    return array.astype(np.float64)


def _check_all(argument: str, expected: str, array: Array, test: Any) -> None:
    position = _first_false(array, test)
    if position is not None:
        raise check.wrong_value(argument, expected, f"{array[position]}{_place(position, None)}")


def _first_false(array: Array, test: Any) -> tuple[int, ...] | None:
    """Return the position of the first element that fails, looking at one block at a time."""
    width = max(1, math.prod(array.shape[1:]))
    rows = max(1, _BLOCK // width)
    for first in range(0, len(array), rows):
        good = test(array[first : first + rows])
        if not good.all():
            row, *rest = np.unravel_index(int(np.argmin(good)), good.shape)
            return (first + int(row), *map(int, rest))
    return None


def _place(position: tuple[int, ...], columns: list[str] | None) -> str:
    row, *rest = position
    if not rest:
        return f" at row {row}"
    column = repr(columns[rest[0]]) if columns else ", ".join(map(str, rest))
    return f" at row {row}, column {column}"
