"""Optimizers: how weights move. The arguments are those of Keras, the formulas those of PyTorch.

Every optimizer takes `weight_decay` (decoupled: ``w -= rate * weight_decay * w``) and at most one
of `clipvalue` (each element of a gradient), `clipnorm` (the norm of each parameter's gradient) and
`global_clipnorm` (the norm of all gradients together). `docs/design.md` lists the formulas.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.description import Description
from fastnn.graph import Setting, Spec
from fastnn.schedules import Schedule

__all__ = ["FTRL", "SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]

CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")


@dataclass(frozen=True, repr=False)
class Optimizer(Description):
    """Base of the optimizers.

    Parameters
    ----------
    learning_rate : float or Schedule
        Size of a step, >= 0.
    weight_decay, clipvalue, clipnorm, global_clipnorm : float, optional
        As the module says; None leaves them out.
    """

    kind: ClassVar[str]

    learning_rate: float | Schedule = 0.001
    _: KW_ONLY
    weight_decay: float | None = None
    clipvalue: float | None = None
    clipnorm: float | None = None
    global_clipnorm: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.learning_rate, Schedule):
            self._set(learning_rate=check.number("learning_rate", self.learning_rate, 0))
        if self.weight_decay is not None:
            self._set(weight_decay=check.number("weight_decay", self.weight_decay, 0))
        given = [name for name in CLIPS if getattr(self, name) is not None]
        if len(given) > 1:
            raise check.wrong_value(given[1], f"None beside {given[0]}", getattr(self, given[1]))
        for name in given:
            self._set(**{name: check.number(name, getattr(self, name), 0, above=True)})

    def spec(self) -> Spec:
        """Return the optimizer as an engine takes it; rates are given step by step."""
        config: dict[str, Setting] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "learning_rate" and value is not None:
                config[item.name] = int(value) if isinstance(value, bool) else value
        return Spec(self.kind, config)

    def continues(self, other: Optimizer) -> bool:
        """Return whether a state of the other one means the same here."""
        return isinstance(self, type(other)) or isinstance(other, type(self))

    def rates(self, first_step: int, n_steps: int, total_steps: int) -> NDArray[np.float64]:
        """Return the float64 learning rates of n_steps steps."""
        if isinstance(self.learning_rate, Schedule):
            return self.learning_rate.rates(first_step, n_steps, total_steps)
        return np.full(n_steps, self.learning_rate)


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step.
    momentum : float, default 0
        Share of the last step that is kept, in [0, 1); larger is smoother and faster.
    nesterov : bool, default False
        Look ahead along the momentum.

    Examples
    --------
    >>> SGD(0.1, momentum=0.9)
    SGD(learning_rate=0.1, momentum=0.9)
    """

    kind: ClassVar[str] = "sgd"

    learning_rate: float | Schedule = 0.01
    _: KW_ONLY
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(momentum=check.number("momentum", self.momentum, 0, 1, below=True))
        self._set(nesterov=check.flag("nesterov", self.nesterov))


@dataclass(frozen=True, repr=False)
class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far: Duchi et al., 2011.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step; 0.1 is usual for embeddings.
    initial_accumulator_value : float, default 0.1
        Where the sum of squares starts, >= 0; larger damps the first steps.
    epsilon : float, default 1e-7
        Added to the root, > 0.
    rowwise : bool, default False
        A table keeps one sum per row, that of the means of its squared gradients, instead of one
        per number: a fraction of the memory and of the memory's time, with one step size for a
        whole row. Other parameters stay as they are.

    Examples
    --------
    >>> Adagrad(0.1)
    Adagrad(learning_rate=0.1)
    """

    kind: ClassVar[str] = "adagrad"

    _: KW_ONLY
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    rowwise: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        initial = check.number("initial_accumulator_value", self.initial_accumulator_value, 0)
        self._set(initial_accumulator_value=initial)
        self._set(epsilon=check.number("epsilon", self.epsilon, 0, above=True))
        self._set(rowwise=check.flag("rowwise", self.rowwise))


@dataclass(frozen=True, repr=False)
class FTRL(Optimizer):
    """Follow the regularised leader: exact zeros for weights that do not earn their keep.

    FTRL-Proximal of McMahan et al., "Ad click prediction: a view from the trenches", 2013: with
    n the sum of squared gradients and s = n ** -learning_rate_power, a step adds
    ``g - (change of s) / rate * w`` to z; then w is 0 where ``abs(z) <= l1``, else
    ``-(z - sign(z) * l1) / ((beta + s) / rate + 2 * l2)``. A weight without a gradient stays as it
    is, so a table's rows need no update in batches that do not hold them. The sums start as if
    the weights were 0, whatever their initial values.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step; the method was made for a constant one.
    learning_rate_power : float, default -0.5
        How steps shrink with the sum of squared gradients, <= 0; 0 keeps them.
    initial_accumulator_value : float, default 0.1
        Where the sum of squares starts, >= 0.
    l1, l2 : float, default 0
        Strength of the penalties ``l1 * abs(w)`` and ``l2 * w ** 2``, >= 0. More l1 gives more
        zeros. There is no `weight_decay`.
    beta : float, default 0
        Added to the root, >= 0; larger damps the first steps.

    Examples
    --------
    >>> FTRL(0.1, l1=0.01)
    FTRL(learning_rate=0.1, l1=0.01)
    """

    kind: ClassVar[str] = "ftrl"

    _: KW_ONLY
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1: float = 0.0
    l2: float = 0.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        power = check.number("learning_rate_power", self.learning_rate_power)
        if power > 0:
            raise check.wrong_value("learning_rate_power", "a number of at most 0", power)
        self._set(learning_rate_power=power)
        for name in ("initial_accumulator_value", "l1", "l2", "beta"):
            self._set(**{name: check.number(name, getattr(self, name), 0)})
        if self.weight_decay:
            raise check.wrong_value(
                "weight_decay", "None for FTRL", self.weight_decay, "its l2 pulls weights to 0"
            )


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients: Hinton, 2012.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step.
    rho : float, default 0.9
        Memory of the running mean, in [0, 1).
    momentum : float, default 0
        Share of the last step that is kept, in [0, 1).
    epsilon : float, default 1e-7
        Added to the root, > 0.
    centered : bool, default False
        Divide by the running standard deviation instead.

    Examples
    --------
    >>> RMSprop(rho=0.99)
    RMSprop(rho=0.99)
    """

    kind: ClassVar[str] = "rmsprop"

    _: KW_ONLY
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(rho=check.number("rho", self.rho, 0, 1, below=True))
        self._set(momentum=check.number("momentum", self.momentum, 0, 1, below=True))
        self._set(epsilon=check.number("epsilon", self.epsilon, 0, above=True))
        self._set(centered=check.flag("centered", self.centered))


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Running means of gradients and of their squares, both corrected for their start.

    Kingma and Ba, 2015, algorithm 1.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Memory of the two means, in [0, 1).
    epsilon : float, default 1e-7
        Added to the root, > 0.

    Examples
    --------
    >>> Adam(0.01)
    Adam(learning_rate=0.01)
    """

    kind: ClassVar[str] = "adam"

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(beta_1=check.number("beta_1", self.beta_1, 0, 1, below=True))
        self._set(beta_2=check.number("beta_2", self.beta_2, 0, 1, below=True))
        self._set(epsilon=check.number("epsilon", self.epsilon, 0, above=True))


@dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """`Adam` with decoupled weight decay: Loshchilov and Hutter, 2019.

    Parameters
    ----------
    weight_decay : float, default 0.004
        Each step takes ``rate * weight_decay`` of every weight away.

    Examples
    --------
    >>> AdamW(0.005, weight_decay=0.1)
    AdamW(learning_rate=0.005, weight_decay=0.1)
    """

    kind: ClassVar[str] = "adamw"

    _: KW_ONLY
    weight_decay: float | None = 0.004


NAMES: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "ftrl": FTRL,
    "adam": Adam,
    "adamw": AdamW,
}


def get(argument: str, value: object) -> Optimizer:
    """Return an optimizer given as an instance or by name."""
    return check.described(argument, value, Optimizer, NAMES)
