"""What watches training: objects told of every epoch, and the record that fit returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastnn import check

if TYPE_CHECKING:
    from fastnn.model import Model

__all__ = ["Callback", "EarlyStopping", "History", "LambdaCallback", "ProgressBar"]

Logs = Mapping[str, float]


class History:
    """The record of a fit.

    Attributes
    ----------
    history : dict of str to list of float
        One value per epoch: ``loss``, metrics, the same with ``val_`` before them, ``penalty`` (of
        the weights, not part of the loss) and ``seconds``.
    epoch : list of int
        The epochs, counted from 0 over the model's life.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def __repr__(self) -> str:
        return f"<history of {len(self.epoch)} epochs: {', '.join(self.history)}>"

    def append(self, epoch: int, logs: Logs) -> None:
        """Add the values of an epoch."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


class Callback:
    """Base of the callbacks; override what you need.

    Setting ``model.stop_training = True`` ends training after the epoch.
    """

    def on_train_begin(self, model: Model, epochs: int) -> None:
        """Be told that `epochs` epochs are about to start."""

    def on_epoch_begin(self, model: Model, epoch: int) -> None:
        """Be told that an epoch starts; epochs count from 0 over the model's life."""

    def on_epoch_end(self, model: Model, epoch: int, logs: Logs) -> None:
        """Be told the values of an epoch, as `History` keeps them."""

    def on_train_end(self, model: Model) -> None:
        """Be told that training is over, also after an interrupt or an error."""


class LambdaCallback(Callback):
    """Functions in place of a class.

    Parameters
    ----------
    on_epoch_begin : callable, optional
        Called with (model, epoch).
    on_epoch_end : callable, optional
        Called with (model, epoch, logs).
    on_train_begin : callable, optional
        Called with (model, epochs).
    on_train_end : callable, optional
        Called with (model).

    Examples
    --------
    >>> seen = []
    >>> watch = LambdaCallback(on_epoch_end=lambda model, epoch, logs: seen.append(logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[Model, int], object] | None = None,
        on_epoch_end: Callable[[Model, int, Logs], object] | None = None,
        on_train_begin: Callable[[Model, int], object] | None = None,
        on_train_end: Callable[[Model], object] | None = None,
    ) -> None:
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
        }
        for name, function in given.items():
            if function is not None:
                if not callable(function):
                    raise check.wrong_type(name, "a function", function)
                setattr(self, name, function)


class EarlyStopping(Callback):
    """Ends training when a value has not improved for a while.

    Parameters
    ----------
    monitor : str
        The value to watch: "val_loss", "loss", "val_accuracy"... Accuracies should rise, all else
        should fall.
    patience : int
        Training ends after this many epochs without improvement, >= 0.
    min_delta : float
        What counts as an improvement, >= 0.
    restore_best_weights : bool
        Whether the model gets the weights of its best epoch when training ends.

    Attributes
    ----------
    best, best_epoch, stopped_epoch
        The best value and its epoch; the epoch that ended training, None if none did.

    Examples
    --------
    >>> stop = EarlyStopping("val_loss", patience=5, restore_best_weights=True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        *,
        min_delta: float = 0.0,
        restore_best_weights: bool = False,
    ) -> None:
        if not isinstance(monitor, str):
            raise check.wrong_type("monitor", "a word", monitor)
        self.monitor = monitor
        self.patience = check.integer("patience", patience)
        self.min_delta = check.number("min_delta", min_delta, 0)
        self.restore_best_weights = check.flag("restore_best_weights", restore_best_weights)
        self.best = math.nan
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self._weights: list[Any] | None = None

    def on_train_begin(self, model: Model, epochs: int) -> None:
        """Forget what an earlier fit saw."""
        self.best, self.best_epoch, self.stopped_epoch = math.nan, None, None
        self._weights = None

    def on_epoch_end(self, model: Model, epoch: int, logs: Logs) -> None:
        """Compare the watched value with the best one."""
        check.choice("monitor", self.monitor, logs)
        value = logs[self.monitor]
        sign = -1 if "accuracy" in self.monitor else 1
        if self.best_epoch is None or sign * (self.best - value) > self.min_delta:
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self._weights = model.get_weights()
        elif epoch - self.best_epoch >= self.patience:
            self.stopped_epoch = epoch
            model.stop_training = True

    def on_train_end(self, model: Model) -> None:
        """Give the model its best weights if asked to."""
        if self._weights is not None:
            model.set_weights(self._weights)
            self._weights = None


class ProgressBar(Callback):
    """A tqdm bar over the epochs, in terminals and notebooks; ``fit(verbose=1)`` adds one."""

    def __init__(self) -> None:
        self._bar: Any = None

    def on_train_begin(self, model: Model, epochs: int) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        self._bar = tqdm(total=epochs, unit="epoch")

    def on_epoch_end(self, model: Model, epoch: int, logs: Logs) -> None:
        """Move the bar and show the values of the epoch."""
        hidden = {"seconds"} if logs.get("penalty") else {"seconds", "penalty"}
        shown = {name: f"{value:.4g}" for name, value in logs.items() if name not in hidden}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def on_train_end(self, model: Model) -> None:
        """Close the bar."""
        self._bar.close()


def checked(callbacks: Any) -> list[Callback]:
    """Return one callback or several as a list."""
    found = list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    for item in found:
        if not isinstance(item, Callback):
            raise check.wrong_type("callbacks", "objects of class Callback", item)
    return found
