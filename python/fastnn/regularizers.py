"""Penalties on weights or on what a layer puts out."""

from __future__ import annotations

from dataclasses import dataclass

from fastnn import check
from fastnn.description import Description

__all__ = ["L1", "L1L2", "L2", "Regularizer"]


@dataclass(frozen=True, repr=False)
class Regularizer(Description):
    """Base of the penalties."""

    def penalties(self) -> tuple[float, float]:
        """Return the factors of sum(abs(w)) and of sum(w ** 2)."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class L1(Regularizer):
    """Penalty ``l1 * sum(abs(w))``; training drives weights to exact zeros (a proximal step).

    Parameters
    ----------
    l1 : float, default 0.01
        Factor >= 0; a larger one leaves fewer weights.

    Examples
    --------
    >>> L1(0.001)
    L1(l1=0.001)
    """

    l1: float = 0.01

    def __post_init__(self) -> None:
        self._set(l1=check.number("l1", self.l1, 0))

    def penalties(self) -> tuple[float, float]:
        """Return the factors of sum(abs(w)) and of sum(w ** 2)."""
        return self.l1, 0.0


@dataclass(frozen=True, repr=False)
class L2(Regularizer):
    """Penalty ``l2 * sum(w ** 2)``; its gradient ``2 * l2 * w`` joins that of the loss.

    Parameters
    ----------
    l2 : float, default 0.01
        Factor >= 0; a larger one keeps weights smaller.

    Examples
    --------
    >>> L2(1e-4)
    L2(l2=0.0001)
    """

    l2: float = 0.01

    def __post_init__(self) -> None:
        self._set(l2=check.number("l2", self.l2, 0))

    def penalties(self) -> tuple[float, float]:
        """Return the factors of sum(abs(w)) and of sum(w ** 2)."""
        return 0.0, self.l2


@dataclass(frozen=True, repr=False)
class L1L2(Regularizer):
    """Penalty ``l1 * sum(abs(w)) + l2 * sum(w ** 2)``, the elastic net.

    Parameters
    ----------
    l1, l2 : float, default 0
        Factors >= 0.

    Examples
    --------
    >>> L1L2(l1=0.001, l2=0.01)
    L1L2(l1=0.001, l2=0.01)
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        self._set(l1=check.number("l1", self.l1, 0), l2=check.number("l2", self.l2, 0))

    def penalties(self) -> tuple[float, float]:
        """Return the factors of sum(abs(w)) and of sum(w ** 2)."""
        return self.l1, self.l2


NAMES: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}


def optional(argument: str, value: object) -> Regularizer | None:
    """Return a regularizer given as None, an instance or one of "l1", "l2", "l1_l2"."""
    return None if value is None else check.described(argument, value, Regularizer, NAMES)


def penalties(regularizer: Regularizer | str | None) -> tuple[float, float]:
    """Return the factors (l1, l2) of a regularizer that may be missing."""
    found = optional("regularizer", regularizer)
    return (0.0, 0.0) if found is None else found.penalties()
