"""Schedules: the learning rate of each step."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.description import Description

__all__ = ["CosineDecay", "ExponentialDecay", "OneCycle", "Schedule"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Schedule(Description):
    """Base of the schedules."""

    @property
    def per_fit(self) -> bool:
        """Whether steps count from the start of a fit, not from the model's first step."""
        return False

    def rates(self, first_step: int, n_steps: int, total_steps: int) -> Floats:
        """Return the float64 rates of steps first_step ... first_step + n_steps - 1.

        `total_steps` is the length of the whole fit; schedules with a length of their own do not
        look at it.
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """One cycle per fit: from ``max_rate / div`` up to ``max_rate``, then down to near zero.

    Both halves follow a cosine, as in fastai's ``fit_one_cycle`` (Smith, 2018); the end is
    ``max_rate / div_final``. Beta and momentum stay as they are.

    Parameters
    ----------
    max_rate : float
        Highest rate, > 0.
    div, div_final : float
        How many times smaller the first and the last rate are, >= 1.
    pct_start : float
        Share of the steps that go up, in [0, 1].

    Examples
    --------
    >>> OneCycle(0.1).rates(0, 5, total_steps=5).round(4).tolist()
    [0.004, 0.1, 0.075, 0.025, 0.0]
    """

    max_rate: float
    _: KW_ONLY
    div: float = 25.0
    div_final: float = 1e5
    pct_start: float = 0.25

    def __post_init__(self) -> None:
        self._set(max_rate=check.number("max_rate", self.max_rate, 0, above=True))
        self._set(div=check.number("div", self.div, 1))
        self._set(div_final=check.number("div_final", self.div_final, 1))
        self._set(pct_start=check.number("pct_start", self.pct_start, 0, 1))

    @property
    def per_fit(self) -> bool:
        """Whether steps count from the start of a fit."""
        return True

    def rates(self, first_step: int, n_steps: int, total_steps: int) -> Floats:
        """Return the float64 rates of steps first_step ... first_step + n_steps - 1."""
        last = max(total_steps - 1, 1)
        position = np.minimum(np.arange(first_step, first_step + n_steps) / last, 1.0)
        start = self.pct_start
        up = position / start if start > 0 else np.ones_like(position)
        down = (position - start) / (1 - start) if start < 1 else np.zeros_like(position)
        rising = _cosine(up, self.max_rate / self.div, self.max_rate)
        falling = _cosine(down, self.max_rate, self.max_rate / self.div_final)
        return np.where(position < start, rising, falling)


@dataclass(frozen=True, repr=False)
class CosineDecay(Schedule):
    """``initial * (alpha + (1 - alpha) * (1 + cos(pi * t)) / 2)``, t from 0 to 1 in decay_steps.

    Loshchilov and Hutter, 2017, without restarts.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step, > 0.
    decay_steps : int, optional
        Steps until the lowest rate, which then stays; the length of the fit when left out.
    alpha : float
        Lowest rate as a share of the first, in [0, 1].

    Examples
    --------
    >>> CosineDecay(1.0, decay_steps=4).rates(0, 6, total_steps=100).round(3).tolist()
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    initial_learning_rate: float
    decay_steps: int | None = None
    _: KW_ONLY
    alpha: float = 0.0

    def __post_init__(self) -> None:
        initial = check.number("initial_learning_rate", self.initial_learning_rate, 0, above=True)
        self._set(initial_learning_rate=initial, alpha=check.number("alpha", self.alpha, 0, 1))
        if self.decay_steps is not None:
            self._set(decay_steps=check.integer("decay_steps", self.decay_steps, 1))

    @property
    def per_fit(self) -> bool:
        """Whether steps count from the start of a fit."""
        return self.decay_steps is None

    def rates(self, first_step: int, n_steps: int, total_steps: int) -> Floats:
        """Return the float64 rates of steps first_step ... first_step + n_steps - 1."""
        length = self.decay_steps or max(total_steps, 1)
        position = np.minimum(np.arange(first_step, first_step + n_steps) / length, 1.0)
        return _cosine(
            position, self.initial_learning_rate, self.initial_learning_rate * self.alpha
        )


@dataclass(frozen=True, repr=False)
class ExponentialDecay(Schedule):
    """``initial * decay_rate ** (step / decay_steps)``, the step counted over the model's life.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step, > 0.
    decay_steps : int
        Steps in which the rate shrinks by `decay_rate`.
    decay_rate : float
        In (0, 1].
    staircase : bool
        Whether the rate changes only every `decay_steps` steps.

    Examples
    --------
    >>> ExponentialDecay(1.0, 2, 0.25).rates(0, 4, total_steps=4).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    _: KW_ONLY
    staircase: bool = False

    def __post_init__(self) -> None:
        initial = check.number("initial_learning_rate", self.initial_learning_rate, 0, above=True)
        self._set(
            initial_learning_rate=initial,
            decay_steps=check.integer("decay_steps", self.decay_steps, 1),
            decay_rate=check.number("decay_rate", self.decay_rate, 0, 1, above=True),
            staircase=check.flag("staircase", self.staircase),
        )

    def rates(self, first_step: int, n_steps: int, total_steps: int) -> Floats:
        """Return the float64 rates of steps first_step ... first_step + n_steps - 1."""
        times = np.arange(first_step, first_step + n_steps) / self.decay_steps
        if self.staircase:
            times = np.floor(times)
        return self.initial_learning_rate * np.power(self.decay_rate, times)


def _cosine(position: Floats, start: float, end: float) -> Floats:
    """Return the way from `start` (position 0) to `end` (1) along half a cosine."""
    return end + (start - end) * (1 + np.cos(np.pi * position)) / 2
