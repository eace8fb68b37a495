"""The same values in odd shapes of memory."""

import numpy as np


class Subclass(np.ndarray):
    """An array type of a user's."""


def odd(kind, array, folder):
    """Return the values of an array in an odd shape of memory."""
    if kind == "fortran":
        return np.asfortranarray(array)
    if kind == "strided":
        return np.repeat(array, 3, axis=0)[1::3]
    if kind == "reversed":
        return array[::-1].copy()[::-1]
    if kind == "swapped":
        return array.astype(array.dtype.newbyteorder())
    if kind == "misaligned":
        raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
        raw[:] = np.frombuffer(array.tobytes(), np.uint8)
        return raw.view(array.dtype).reshape(array.shape)
    if kind == "readonly":
        array = array.copy()
        array.flags.writeable = False
        return array
    if kind == "subclass":
        return array.view(Subclass)
    if kind == "memmap":
        path = folder / f"{id(array)}.bin"
        array.tofile(path)
        return np.memmap(path, array.dtype, "r", shape=array.shape)
    if kind == "overlapping":
        both = np.concatenate([array, array[:1]])
        both[:-1] = array
        return both[:-1]
    if kind == "wide":
        return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    if kind == "list":
        return array.tolist()
    return array.astype(np.float16) if array.dtype.kind == "f" else array.astype(np.int16)


KINDS = [
    "fortran",
    "strided",
    "reversed",
    "swapped",
    "misaligned",
    "readonly",
    "subclass",
    "memmap",
    "overlapping",
    "wide",
    "list",
    "narrow",
]
