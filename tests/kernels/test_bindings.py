"""The one door for arrays: what does not fit is refused with its name, and nothing is written."""

import numpy as np
import pytest
from fastnn import _core

kernels = _core.kernels


def misplaced(array):
    """Return a copy that starts one byte after an aligned address."""
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    raw[:] = array.reshape(-1).view(np.uint8)
    return raw.view(array.dtype).reshape(array.shape)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: x.astype(np.float64), TypeError, "expected a native float32 array, got float64"),
        (lambda x: x.astype(np.int32), TypeError, "expected a native float32 array, got int32"),
        (lambda x: x.astype(">f4"), TypeError, "expected a native float32 array, got >f4"),
        (lambda x: x.astype(object), TypeError, "expected a native float32 array, got object"),
        (misplaced, ValueError, "expected an aligned array, got an unaligned one"),
        (
            lambda x: np.repeat(x, 2)[::2],
            ValueError,
            "expected a C-contiguous array, got a strided",
        ),
        (lambda x: x[::-1], ValueError, "expected a C-contiguous array, got a strided"),
        (lambda x: x[:5], ValueError, r"expected shape \(6,\), got \(5,\)"),
        (lambda x: x.reshape(2, 3), ValueError, r"expected shape \(6,\), got \(2, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    x = np.arange(6, dtype=np.float32)
    with pytest.raises(error, match=f"b: {message}"):
        kernels.add("baseline", x, make(x), np.empty_like(x))
    with pytest.raises(error, match=f"out: {message}"):
        kernels.add("baseline", x, x, make(x))


def test_read_only_output_is_refused_and_untouched():
    x = np.arange(6, dtype=np.float32)
    out = read_only(x)
    with pytest.raises(ValueError, match="out: expected a writable array, got a read-only one"):
        kernels.add("baseline", x, x, out)
    assert (out == x).all()


def test_read_only_input_is_taken():
    x = np.arange(6, dtype=np.float32)
    out = np.empty_like(x)
    kernels.add("baseline", read_only(x), x, out)
    assert (out == 2 * x).all()


@pytest.mark.parametrize("ids", [[0.7], ["1"], [True], [1 + 0j]])
def test_ids_that_are_no_integers_are_refused(ids):
    with pytest.raises(TypeError, match="ids: expected a native int32 array, got"):
        kernels.embedding_forward("baseline", np.zeros((4, 2)), np.array(ids))


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.int16, np.uint64])
def test_ids_of_another_width_are_refused(dtype):
    with pytest.raises(TypeError, match="ids: expected a native int32 array, got"):
        kernels.embedding_forward("baseline", np.zeros((4, 2)), np.array([1], dtype))


def test_first_array_must_be_float32_or_float64():
    x = np.zeros(3, np.float16)
    with pytest.raises(TypeError, match="x: expected float32 or float64, got float16"):
        kernels.sum("baseline", x)


def test_rank_is_checked():
    with pytest.raises(ValueError, match="x: expected rank 2, got rank 1"):
        kernels.softmax_forward("baseline", np.zeros(3))
