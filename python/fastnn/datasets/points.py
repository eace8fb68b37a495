"""Points of a plane, made to be learnt from: classes that a line cannot part, and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check

Array = NDArray[Any]


def make_points(
    kind: str, n: int = 400, *, noise: float = 0.1, seed: int = 0
) -> tuple[Array, Array]:
    """Make points (x1, x2) of a square with sides of about 12, and a class or a number for each.

    Parameters
    ----------
    kind : {"circles", "moons", "spiral", "xor", "blobs", "pinwheel", "plane", "hills"}
        Two classes: a disc in a ring, two half moons, two arms of a spiral, opposite quadrants;
        three blobs; five arms of a pinwheel. Numbers of about [-1, 1]: a tilted plane, and three
        hills and hollows.
    n : int
        Points, >= 1; classes take turns, so all are equally frequent.
    noise : float
        Standard deviation >= 0 of what is added to each coordinate of the classes, and to the
        numbers.
    seed : int
        In [0, 2**63); same seed, same points.

    Returns
    -------
    x : float64 (n, 2)
    y : int64 (n,) or float64 (n,)
        Classes from 0, or numbers.

    Examples
    --------
    >>> x, y = make_points("pinwheel", 100, seed=1)
    >>> x.shape, sorted(set(y.tolist()))
    ((100, 2), [0, 1, 2, 3, 4])
    """
    maker = _MAKERS[check.choice("kind", kind, _MAKERS)]
    n, noise = check.integer("n", n, 1), check.number("noise", noise, 0)
    random = np.random.default_rng(check.integer("seed", seed))
    return maker(np.arange(n), noise, random)


def _disc(radius: Array, angle: Array) -> Array:
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _circles(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    y = i % 2
    radius = np.where(y == 0, 2.5 * np.sqrt(random.random(len(i))), random.uniform(3.7, 5, len(i)))
    return _moved(_disc(radius, random.uniform(0, 2 * math.pi, len(i))), noise, random), y


def _moons(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    y, angle = i % 2, random.uniform(0, math.pi, len(i))
    upper = 3.2 * np.column_stack([np.cos(angle), np.sin(angle)]) + [-1.6, -0.8]
    return _moved(np.where(y[:, None] == 0, upper, -upper), noise, random), y


def _spiral(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    y, t = i % 2, np.sqrt(random.uniform(0.01, 1, len(i)))
    return _moved(_disc(5 * t, 1.75 * 2 * math.pi * t + math.pi * y), noise, random), y


def _xor(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    y, side = i % 2, np.where(random.random(len(i)) < 0.5, 1.0, -1.0)
    x = random.uniform(0.3, 5, (len(i), 2)) * np.column_stack([side, side * (1 - 2 * y)])
    return _moved(x, noise, random), y


def _blobs(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    y = i % 3
    centres = _disc(np.full(len(i), 3.0), math.pi / 2 + 2 * math.pi / 3 * y)
    return _moved(centres + random.normal(0, 0.6, centres.shape), noise, random), y


def _pinwheel(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    y, radius = i % 5, np.sqrt(random.uniform(0.03, 1, len(i)))
    angle = 2 * math.pi / 5 * y + 2.2 * radius + random.normal(0, 0.14, len(i))
    return _moved(_disc(5 * radius, angle), noise, random), y


def _plane(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    x = random.uniform(-6, 6, (len(i), 2))
    return x, x.sum(axis=1) / 12 + noise * random.normal(size=len(i))


def _hills(i: Array, noise: float, random: np.random.Generator) -> tuple[Array, Array]:
    x = random.uniform(-6, 6, (len(i), 2))
    y = np.zeros(len(i))
    for height, centre in ((1, (-3, 3)), (-1, (3, 3)), (1, (3, -3)), (-1, (-3, -3)), (1, (0, 0))):
        y += height * np.exp(-((x - centre) ** 2).sum(axis=1) / 4)
    return x, y + noise * random.normal(size=len(i))


def _moved(x: Array, noise: float, random: np.random.Generator) -> Array:
    return x + noise * random.normal(size=x.shape)


_MAKERS: dict[str, Callable[[Array, float, np.random.Generator], tuple[Array, Array]]] = {
    "circles": _circles,
    "moons": _moons,
    "spiral": _spiral,
    "xor": _xor,
    "blobs": _blobs,
    "pinwheel": _pinwheel,
    "plane": _plane,
    "hills": _hills,
}
