"""Sizes at which loops over blocks go wrong, and arrays in awkward places."""

from itertools import pairwise

import numpy as np

# A block holds 16 floats or 8 doubles: nothing, one, just below, full, just above, odd, large.
SIZES = (0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 67, 1000, 4099)
SHAPES = ((0, 3), (3, 0), (1, 1), (17, 1), (40, 1), (5, 2), (3, 10), (4, 16), (3, 17), (2, 67))
ODD_CUTS = (0, 1, 4, 21, 22, 38, 61, 67, 100)


def unaligned(array):
    """Return a copy that starts one element after an aligned address."""
    raw = np.empty(array.size + 17, array.dtype)
    start = (-raw.ctypes.data // array.itemsize) % 16 + 1
    place = raw[start : start + array.size].reshape(array.shape)
    place[...] = array
    return place


def pieces(array, cuts=ODD_CUTS):
    """Views between cuts."""
    return [array[start:end] for start, end in pairwise(cuts)]


def ulps(actual, exact):
    """Distance in units in the last place of the exact value's type; equal specials are 0."""
    rounded = exact.astype(actual.dtype)
    with np.errstate(invalid="ignore"):
        distance = np.abs(actual.astype(np.longdouble) - exact) / np.spacing(np.abs(rounded))
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    return np.where(np.isfinite(rounded), distance, np.where(same, 0, np.inf))
