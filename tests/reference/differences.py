"""Gradients by central differences."""

import numpy as np

H = 1e-6


def numeric_gradient(function, x):
    """Return d function / d x, where `function()` reads the array x, which is moved in place."""
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        held = x[place]
        x[place] = held + H
        above = function()
        x[place] = held - H
        below = function()
        x[place] = held
        gradient[place] = (above - below) / (2 * H)
    return gradient
