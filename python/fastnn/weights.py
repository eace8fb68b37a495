"""What a model can do with its weights: a part of `Model`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastnn import check

if TYPE_CHECKING:
    from fastnn.goal import Goal
    from fastnn.network import Network
    from fastnn.training import Progress, Turn

Array = NDArray[Any]


class Weights:
    """Reads and replaces weights, one model's or those of another."""

    goal: Goal | None
    progress: Progress
    _turn: Turn

    @property
    def network(self) -> Network:
        """The planned graph and its weights."""
        raise NotImplementedError

    def parameters(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return name and shape of every parameter, in the order of `get_weights`."""
        return self.network.parameters()

    def get_weights(self, names: Sequence[str] | None = None) -> list[Array]:
        """Return copies of all weights, in the order of `parameters`; or of those named."""
        return self.network.get_weights(names)

    def set_weights(self, weights: Sequence[Any] | Mapping[str, Any]) -> None:
        """Replace weights: all by a list in the order of `parameters`, or some by a dict."""
        with self._turn.taken():
            self.network.set_weights(weights)

    def set_rows(self, name: str, first: int, rows: Any) -> None:
        """Replace some rows of one weight, from row `first` on; a large one needs no copy."""
        with self._turn.taken():
            self.network.set_rows(name, first, rows)

    def count_params(self) -> int:
        """Return the number of weights."""
        return sum(math.prod(shape) for _, shape in self.parameters())

    def take_over(self, other: Weights) -> None:
        """Go on from where another model stands: take its weights and its place in training.

        For a model of the same parameters that is to be trained under other settings: a penalty,
        an activation, a rate of dropout, another optimizer. The state of the optimizer comes along
        where both have the same kind, else it starts afresh.

        Parameters
        ----------
        other : Model
            With the same shapes of parameters, in the same order; names may differ.

        Raises
        ------
        ValueError
            If shapes differ, before anything changes.

        Examples
        --------
        >>> from fastnn import Sequential, layers
        >>> def model(rate):
        ...     stack = [layers.Dense(8, activation="relu"), layers.Dropout(rate), layers.Dense(1)]
        ...     return Sequential(stack, input_shape=2, seed=0).compile("adam", "mse")
        >>> before, after = model(0.0), model(0.5)
        >>> reached = before.train_steps(100, [[0.0, 1.0], [1.0, 0.0]], [[0.0], [1.0]])
        >>> after.take_over(before)
        >>> after.progress.step
        100
        """
        mine, theirs = self.parameters(), other.parameters()
        if [shape for _, shape in mine] != [shape for _, shape in theirs]:
            expected = f"a model with parameters of the shapes {[shape for _, shape in mine]}"
            raise check.wrong_value("other", expected, [shape for _, shape in theirs])
        names = {old: new for (old, _), (new, _) in zip(theirs, mine, strict=True)}
        with self._turn.taken():
            self.network.set_weights(other.get_weights())
            if self.goal is None or other.goal is None:
                return
            self.progress = replace(other.progress, step=0)
            if not self.goal.optimizer.continues(other.goal.optimizer):
                return
            state = {}
            for name, slot in other.network.engine.state().items():
                parameter, _, kind = name.rpartition(":")
                state[f"{names[parameter]}:{kind}" if parameter else name] = slot
            if state.keys() == self.network.engine.state().keys():
                self.network.engine.set_state(state)
                self.progress = other.progress
