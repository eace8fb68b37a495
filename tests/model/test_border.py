"""The border: what is converted, and every message for what is refused."""

import re
from decimal import Decimal

import numpy as np
import pytest
from fastnn import data

FLOATS = [
    [[1, 2], [3, 4]],
    ((1.0, 2.0), (3.0, 4.0)),
    np.array([[1, 2], [3, 4]], np.float16),
    np.array([[1, 2], [3, 4]], np.int8),
    np.array([[1, 2], [3, 4]], np.uint64),
    np.array([[1, 2], [3, 4]], ">f8"),
    np.array([[1, 2], [3, 4]], "<f4").astype(">f4"),
    np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
    np.arange(1.0, 9.0).reshape(2, 4)[:, ::2] * [[1, 2 / 3], [3 / 5, 4 / 7]],
    np.array([[1, 2], [3, 4]], object),
    np.array([[Decimal(1), Decimal(2)], [3, 4]], object),
    np.array([[2.0, 1.0], [4.0, 3.0]])[:, ::-1],
    np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]]),
]


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def check_floats(array, dtype="float32"):
    assert array.dtype == dtype
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    assert array.flags.aligned
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", FLOATS, ids=range(len(FLOATS)))
def test_numbers_of_any_kind_become_floats(given, dtype):
    check_floats(data.convert_floats("x", given, (2,), dtype), dtype)


def test_what_fits_is_taken_without_a_copy():
    given = np.array([[1, 2], [3, 4]], np.float32)
    given.flags.writeable = False
    assert np.shares_memory(data.convert_floats("x", given, (2,), "float32"), given)


def test_an_unaligned_array_is_copied():
    given = unaligned(np.array([[1, 2], [3, 4]], np.float32))
    assert not given.flags.aligned
    check_floats(data.convert_floats("x", given, (2,), "float32"))


def test_bools_count_as_0_and_1():
    found = data.convert_floats("x", [[True, False]], (2,), "float32")
    assert found.tolist() == [[1.0, 0.0]]


def test_one_number_per_row_may_lack_its_axis():
    assert data.convert_floats("x", [1, 2, 3], (1,), "float32").shape == (3, 1)
    assert data.convert_floats("x", [[1], [2]], (), "float32").shape == (2,)
    assert data.convert_ids("x", [[1], [2]], (), 3).shape == (2,)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_and_their_columns_are_taken(library):
    module = pytest.importorskip(library)
    columns = {"a": [1.0, 3.0], "b": [2, 4]}
    make = module.table if library == "pyarrow" else module.DataFrame
    frame = make(columns)
    check_floats(data.convert_floats("x", frame, (2,), "float32"))
    assert data.convert_ids("x", frame["b"], (), 5).tolist() == [2, 4]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_missing_values_of_tables_are_told(library):
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    with pytest.raises(
        ValueError, match="x: expected finite numbers, got nan at row 1, column 'b'"
    ):
        data.convert_floats("x", make({"a": [1.0, 2.0], "b": [2, None]}), (2,), "float32")
    with pytest.raises(TypeError, match="x: expected integer ids, got dtype float64"):
        data.convert_ids("x", make({"b": [2, None]})["b"], (), 5)


def test_nullable_columns_without_nulls_are_taken():
    pandas = pytest.importorskip("pandas")
    column = pandas.Series([1, 2], dtype="Int64")
    assert data.convert_ids("x", column, (), 5).tolist() == [1, 2]
    frame = pandas.DataFrame({"a": column, "b": pandas.Series([0.5, 1.5], dtype="Float32")})
    assert data.convert_floats("x", frame, (2,), "float32").tolist() == [[1, 0.5], [2, 1.5]]


def test_tensors_are_taken():
    torch = pytest.importorskip("torch")
    check_floats(data.convert_floats("x", torch.tensor([[1, 2], [3, 4]]), (2,), "float32"))


def test_a_column_of_a_table_is_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1.0, 2.0], "town": ["x", "y"]})
    with pytest.raises(TypeError, match="x: expected numbers, got str 'x' at row 0, column 'town'"):
        data.convert_floats("x", frame, (2,), "float32")
    frame = pandas.DataFrame({"age": [1.0, 2.0], "height": [1.0, None]})
    with pytest.raises(ValueError, match="got nan at row 1, column 'height'"):
        data.convert_floats("x", frame, (2,), "float32")


class Sparse:
    nnz = 1

    def toarray(self):
        raise AssertionError


NAN = np.ones((4, 3))
NAN[2, 1] = np.nan
LARGE = np.zeros((600_000, 1))
LARGE[599_999] = np.inf
REFUSED_FLOATS = [
    (NAN, ValueError, "x: expected finite numbers, got nan at row 2, column 1"),
    (-np.full((2, 3), np.inf), ValueError, "x: expected finite numbers, got -inf at row 0, column"),
    (
        np.full((2, 3), 1e39),
        ValueError,
        "x: expected numbers within +-3.4e+38 (float32), got 1e+39",
    ),
    (np.ones((2, 3), complex), TypeError, "x: expected real numbers, got dtype complex128"),
    ([["a", "b", "c"]], TypeError, "x: expected numbers, got dtype <U1"),
    (
        np.array([["a", 1, 2]], object),
        TypeError,
        "x: expected numbers, got str 'a' at row 0, column 0",
    ),
    (np.array([[None, 1, 2]], object), ValueError, "x: expected numbers, got None at row 0"),
    (np.zeros((2, 3), "M8[s]"), TypeError, "x: expected numbers, got dtype datetime64[s]"),
    (np.ones((2, 4)), ValueError, "x: expected shape (n, 3), got (2, 4)"),
    (np.ones(3), ValueError, "x: expected shape (n, 3), got (3,)"),
    (np.ones((2, 3, 1)), ValueError, "x: expected shape (n, 3), got (2, 3, 1)"),
    ([[1, 2, 3], [1, 2]], ValueError, "x: expected rows of equal length, got ragged rows"),
    (5, ValueError, "x: expected an array of rows, got a single value"),
    (None, TypeError, "x: expected an array, got None"),
    (Sparse(), TypeError, "x: expected a dense array, got a sparse matrix; use .toarray()"),
    (np.ma.masked_less([[1, 2, 3]], 2), TypeError, "x: expected an array without a mask, got"),
]


@pytest.mark.parametrize(("given", "kind", "message"), REFUSED_FLOATS)
def test_what_are_no_rows_of_numbers_is_refused(given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        data.convert_floats("x", given, (3,), "float32")


def test_a_fault_in_the_last_row_of_many_is_found():
    with pytest.raises(ValueError, match="got inf at row 599999, column 0"):
        data.convert_floats("x", LARGE, (1,), "float64")


def test_float64_takes_what_float32_cannot():
    assert data.convert_floats("x", [[1e39]], (1,), "float64")[0, 0] == 1e39


REFUSED_IDS = [
    ([0.0, 1.0], TypeError, "x: expected integer ids, got dtype float64; give .astype('int32')"),
    (np.array([0.7]), TypeError, "x: expected integer ids, got dtype float64"),
    ([True, False], TypeError, "x: expected integer ids, got dtype bool"),
    (["1", "2"], TypeError, "x: expected integer ids, got dtype <U1"),
    (np.array([1, "a"], object), TypeError, "x: expected integer ids, got str 'a'"),
    (np.array([True], object), TypeError, "x: expected integer ids, got bool True"),
    ([0, 5, 1], ValueError, "x: expected values in [0, 5), got 5 at row 1"),
    ([0, 1, -1], ValueError, "x: expected values in [0, 5), got -1 at row 2"),
    (np.array([2**63], np.uint64), ValueError, f"expected values in [0, 5), got {2**63} at row 0"),
    (np.array([2**70], object), ValueError, "x: expected integer ids, got a number beyond int64"),
    ([[0, 1]], ValueError, "x: expected shape (n,), got (1, 2)"),
]


@pytest.mark.parametrize(("given", "kind", "message"), REFUSED_IDS)
def test_what_are_no_ids_is_refused(given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        data.convert_ids("x", given, (), 5)


@pytest.mark.parametrize("dtype", ["int8", "uint8", ">i4", "int64", "uint64", object])
def test_ids_of_any_integer_dtype_become_int32(dtype):
    found = data.convert_ids("x", np.array([[0, 1], [2, 3]], dtype), (2,), 4)
    assert found.dtype == np.int32
    assert found.dtype.isnative
    assert found.tolist() == [[0, 1], [2, 3]]


REFUSED_LABELS = [
    (
        np.eye(3),
        ValueError,
        "y: expected integer labels of shape (n,), got shape (3, 3); for one-hot",
    ),
    ([0.0, 1.0], TypeError, "y: expected integer labels, got dtype float64"),
    ([0, 3], ValueError, "y: expected values in [0, 3), got 3 at row 1"),
    (["cat", "dog"], TypeError, "y: expected integer labels, got dtype <U3"),
]


@pytest.mark.parametrize(("given", "kind", "message"), REFUSED_LABELS)
def test_what_are_no_labels_is_refused(given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        data.convert_labels("y", given, 3)


def test_a_column_of_labels_will_do():
    assert data.convert_labels("y", [[0], [2]], 3).tolist() == [0, 2]


REFUSED_WEIGHTS = [
    ([1, -1, 1], "sample_weight: expected weights >= 0, got -1.0 at row 1"),
    ([0, 0, 0], "sample_weight: expected at least one weight above 0, got zeros only"),
    ([1, np.nan, 1], "sample_weight: expected finite numbers, got nan at row 1"),
    ([1, 1], "sample_weight: expected 3 weights, one per row, got 2"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED_WEIGHTS)
def test_what_are_no_weights_is_refused(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        data.convert_weights("sample_weight", given, 3, "float32")


NUMBERS, IDS = data.InputSpec("age", (1,), None), data.InputSpec("user", (), 4)
REFUSED_PARTS = [
    ({"age": [1.0]}, ValueError, "x: expected arrays named age, user, got age"),
    ([[1.0], [2], [3]], ValueError, "x: expected 2 arrays, got 3"),
    (np.ones((2, 1)), TypeError, "x: expected a list or dict of 2 arrays, got ndarray"),
    ([[1.0, 2.0], [1]], ValueError, "x['user']: expected 2 rows as in 'age', got 1"),
    ([[1.0, 2.0], [1, 4]], ValueError, "x['user']: expected values in [0, 4), got 4 at row 1"),
    ([np.ones((2, 2)), [1, 1]], ValueError, "x['age']: expected shape (n, 1), got (2, 2)"),
    ([[], []], ValueError, "x: expected at least one row, got none"),
]


@pytest.mark.parametrize(("given", "kind", "message"), REFUSED_PARTS)
def test_arrays_of_several_inputs_are_told_apart(given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        data.convert_inputs("x", given, [NUMBERS, IDS], "float32")


def test_targets_are_checked_by_their_loss():
    chances = [data.TargetSpec("out", (1,), "probabilities")]
    with pytest.raises(ValueError, match=r"y: expected values in \[0, 1\], got 2.0 at row 1"):
        data.convert_targets("y", [0, 2], chances, "float32", 2)
    with pytest.raises(ValueError, match="y: expected 3 rows as in x, got 2"):
        data.convert_targets("y", [0, 1], chances, "float32", 3)
