"""How far two computations of the same thing may lie apart, and why: the one table of tolerances.

Each is relative to a scale that the test names: the largest value, or the sum of magnitudes.
"""

import math

import numpy as np

EPSILON = {"float32": 2.0**-24, "float64": 2.0**-53}

# Central differences with h = 1e-6: truncation h^2 = 1e-12, rounding 2^-53 / h = 1e-10, then the
# size of the loss against that of its smallest gradient.
DIFFERENCES = 1e-6

# float32 against another library: what users are promised.
PARITY = 1e-5

# Winograd's convolution rounds up to 2.5 times as much as a direct one, in three passes a step.
WINOGRAD = 7.5

# The same formula in the same type through another library: a few roundings a step.
SAME_FORMULA = 1e-12


def sums(dtype, length):
    """Sum of `length` products in any order, relative to the sum of their magnitudes.

    Rounding errors of a sum add up like a random walk; 8 leaves room for the worst element.
    """
    return 8 * math.sqrt(length + 1) * EPSILON[str(np.dtype(dtype))]


def steps(dtype, n_steps):
    """Parameters after training, relative to the largest of the array.

    Every step rounds each parameter anew, and an optimizer that divides by the root of a squared
    gradient passes on the gradient's relative error, which cancellation makes larger.
    """
    return {"float32": 2e-5, "float64": 1e-12}[str(np.dtype(dtype))] * n_steps


def close(actual, expected, tolerance):
    """Whether arrays agree relative to the largest magnitude expected (at least 1e-3 of it)."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shapes {actual.shape} and {expected.shape}"
    if expected.size == 0:
        return True
    scale = np.abs(expected, dtype=np.float64).max()
    return bool(np.abs(actual.astype(np.float64) - expected).max() <= tolerance * (scale or 1.0))
