"""Gradients by central differences."""

import numpy as np

H = 1e-6


def spread(x, most=80):
    """Return places all over an array, every one of a small array."""
    return [np.unravel_index(i, x.shape) for i in range(0, x.size, 1 + x.size // most)]


def numeric_gradient(function, x, places=None):
    """Return d function / d x, where `function()` reads the array x, which is moved in place.

    Where places are given, those elements alone; the others are zeros.
    """
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape) if places is None else places:
        held = x[place]
        x[place] = held + H
        above = function()
        x[place] = held - H
        below = function()
        x[place] = held
        gradient[place] = (above - below) / (2 * H)
    return gradient
