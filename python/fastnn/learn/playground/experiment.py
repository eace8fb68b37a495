"""One training run: change its settings while it goes on, step, rewind. No threads here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import Sequential
from fastnn.datasets import Table
from fastnn.learn.playground import network, schema
from fastnn.learn.playground import points as data
from fastnn.learn.playground.points import Drawing, Points
from fastnn.learn.playground.schema import Settings

Array = NDArray[Any]

RING_BYTES = 32 << 20  # of all snapshots together
RING_LENGTH = 64
CURVE_LENGTH = 1000
DRAWN: Drawing = tuple(
    (float(x), float(y), int(x * y > 0)) for x in (-3, -2, 2, 3) for y in (-3, -2, 2, 3)
)


@dataclass(frozen=True)
class Segment:
    """Settings, and the step from which they held."""

    start: int
    settings: Settings


@dataclass(frozen=True)
class Best:
    """The lowest validation loss so far, and its epoch."""

    loss: float = float("inf")
    epoch: int = 0


@dataclass(frozen=True)
class Moment:
    """A place to come back to: a model that stands there, and what else was so."""

    step: int
    model: Sequential
    segments: tuple[Segment, ...]
    best: Best


@dataclass(frozen=True)
class Curve:
    """Steps with their losses; replaced when it is thinned or cut, appended to otherwise."""

    rows: list[tuple[int, float, float]]
    version: int = 0

    def append(self, step: int, loss: float, validation: float) -> Curve:
        """Return the curve with one more entry, at half the density when it is full."""
        if self.rows and self.rows[-1][0] >= step:
            return self
        self.rows.append((step, loss, validation))
        if len(self.rows) <= CURVE_LENGTH:
            return self
        return Curve(self.rows[::2], self.version + 1)

    def cut(self, step: int) -> Curve:
        """Return the entries up to a step."""
        return Curve([row for row in self.rows if row[0] <= step], self.version + 1)


class Experiment:
    """A model in training on the data that settings ask for.

    Parameters
    ----------
    settings : dict
        All settings of the schema.
    table : Table, optional
        What the data set "csv" is.
    table_name, table_target : str
        The file it came from and the column to learn, for the script.

    Attributes
    ----------
    step : int
        Steps done since the last reset.
    segments : tuple of Segment
        Settings and when they changed; the run can be repeated from them.
    measured : tuple of float
        Training and validation loss when last measured.
    update : list of array
        What the last step changed, in the order of the weights.
    diverged : str
        What training said when its loss stopped being a number; "" otherwise.
    """

    points: Points
    model: Sequential
    step: int
    segments: tuple[Segment, ...]
    ring: list[Moment]
    best: Best
    update: list[Array]
    measured: tuple[float, float]
    diverged: str
    _origin: Sequential | None  # where the model stood before the changes at this step

    def __init__(
        self,
        settings: Settings,
        table: Table | None = None,
        table_name: str = "data.csv",
        table_target: str = "",
    ) -> None:
        self.table, self.table_name, self.table_target = table, table_name, table_target
        self.drawing: Drawing = DRAWN
        self.versions = {"data": 0, "net": 0, "settings": 0}
        self.curve = Curve([])
        self.settings = settings
        self.source = data.source(settings, self.drawing, table)
        self._use(settings, data.prepare(settings, self.source))

    def change(self, changes: Mapping[str, Any]) -> str:
        """Change settings; return the effect: none, run, live, net or data.

        A new data set brings its own task unless the changes name one. Wrong settings raise
        ValueError or TypeError and change nothing.
        """
        wanted = schema.changed(self.settings, changes)
        effect = schema.effect(self.settings, wanted)
        if effect == "data":
            self._change_data(wanted, "task" in changes)
        elif effect == "net":
            self._use(wanted, data.prepare(wanted, self.source))
        elif effect == "live":
            self._change_live(wanted)
        elif effect == "run":
            self.settings = wanted
            self._tell("settings")
        return effect

    def replace_data(
        self, changes: Mapping[str, Any], drawing: Drawing | None, table: Table | None
    ) -> None:
        """Start again on a drawing or a table."""
        before = self.drawing, self.table
        self.drawing = self.drawing if drawing is None else drawing
        self.table = self.table if table is None else table
        try:
            self._change_data(schema.changed(self.settings, changes), "task" in changes)
        except ValueError:
            self.drawing, self.table = before
            raise

    def reset(self) -> None:
        """Go back to the initial weights, under the settings of now."""
        self._use(self.settings, self.points)

    def advance(self, n: int) -> int:
        """Train for up to n steps; return how many were done: fewer where training diverged.

        It stands at the last step then whose weights are all finite.
        """
        start = self.step
        if n == 1 or self._train(n - 1) == n - 1:
            before = self.model.get_weights()
            self._train(1)
            with np.errstate(all="ignore"):
                self.update = [a - b for a, b in zip(self.weights(), before, strict=True)]
        if not self._is_finite():
            self._retreat()
        return max(self.step - start, 0)

    def weights(self) -> list[Array]:
        """Return copies of the weights."""
        return self.model.get_weights()

    def losses(self) -> tuple[float, float]:
        """Return the losses of the training and the validation rows, penalties left out."""
        pairs = self.points.training, self.points.validation
        found = [self.model.evaluate(x, self.target(y), n_jobs=1)["loss"] for x, y in pairs]
        return found[0], found[1]

    def record(self) -> tuple[float, float]:
        """Measure the losses, enter them into the curve, keep a moment; return the losses."""
        self.measured = loss, validation = self.losses()
        self.curve = self.curve.append(self.step, loss, validation)
        if validation < self.best.loss:
            self.best = Best(validation, self.epoch)
        if not self.ring or self.step - self.ring[-1].step >= self._interval:
            self._keep()
        return loss, validation

    def rewind(self, step: int) -> int:
        """Go back to a step, or stay where that lies ahead; return the step reached.

        From the last moment kept before it the run is repeated, changes of settings and all: the
        same bits come out. A change made at that very step is undone.
        """
        step = min(step, self.step)
        kept = [moment for moment in self.ring if moment.step <= step]
        moment = kept[-1]
        again = [s for s in self.segments if s not in moment.segments and s.start < step]
        self._restore(moment)
        self.ring = kept
        for segment in again:
            self._repeat(segment.start)
            self._change_live(segment.settings)
        self._repeat(step)
        self.record()
        return self.step

    @property
    def epoch(self) -> int:
        """Epochs begun and done."""
        return int(self.model.progress.epoch)

    def steps_to_epoch_end(self) -> int:
        """Return the steps until this epoch is over."""
        size = min(self.settings["batch_size"], self.points.n_train)
        return int(-(-self.points.n_train // size) - self.model.progress.step_in_epoch)

    def target(self, y: Array) -> Array:
        """Return targets in the form that the loss wants."""
        return network.targets(self.settings, len(self.points.classes), y)

    def _built(self, settings: Settings) -> Sequential:
        inputs, classes = len(self.points.features), len(self.points.classes)
        return network.build(settings, inputs, classes)

    def _use(self, settings: Settings, found: Points) -> None:
        """Start from step 0 with settings and points."""
        self.points, self.settings = found, settings
        self.model = self._built(settings)
        self._origin = None
        self._fed = False
        self.step, self.diverged, self.best = 0, "", Best()
        self.update = []
        self.segments = (Segment(0, settings),)
        self.ring = []
        self._interval = 10
        self.curve = Curve([], self.curve.version + 1)
        self._tell(*self.versions)
        self.record()

    def _change_data(self, wanted: Settings, task_given: bool) -> None:
        found = data.source(wanted, self.drawing, self.table)
        other = wanted["data"] != self.settings["data"] or found.classes != self.source.classes
        if other and not task_given:
            wanted = {**wanted, "task": data.natural_task(found)}
        prepared = data.prepare(wanted, found)
        self.source = found
        self._use(wanted, prepared)

    def _change_live(self, wanted: Settings) -> None:
        """Go on under other settings, from the weights and the optimizer's state of now."""
        if self.step == 0:
            self._use(wanted, self.points)
            return
        kept = self.segments
        if self._origin is None or kept[-1].start != self.step:
            self._origin = self.model
        else:
            kept = kept[:-1]
        self._take(self._built(wanted), self._origin)
        self.settings, self.diverged = wanted, ""
        self.segments = (*kept, Segment(self.step, wanted))
        self._tell("settings", "net")

    def _tell(self, *parts: str) -> None:
        """Give new version numbers to what has changed."""
        self.versions = {name: n + (name in parts) for name, n in self.versions.items()}

    def _restore(self, moment: Moment) -> None:
        """Stand where a moment stood, and forget what came later."""
        self.segments, self.best = moment.segments, moment.best
        runs = {name: self.settings[name] for name in schema.RUN}
        self.settings = {**moment.segments[-1].settings, **runs}
        self.step, self.diverged, self.update = moment.step, "", []
        self.curve = self.curve.cut(step=moment.step)
        self._origin = None
        self._take(self._built(self.settings), moment.model)
        self._tell("settings", "net")

    def _repeat(self, step: int) -> None:
        if step > self.step:
            self.advance(step - self.step)

    def _take(self, model: Sequential, origin: Sequential) -> None:
        model.take_over(origin)
        self.model, self._fed = model, False

    def _train(self, n: int) -> int:
        x, y = self.points.training
        rows = (None, None) if self._fed else (x, self.target(y))
        before = self.model.progress.step
        try:
            self.model.train_steps(n, *rows, batch_size=self.settings["batch_size"], n_jobs=1)
        except ValueError as error:
            if not str(error).startswith("loss:"):
                raise
            self.diverged = str(error)
        self._fed = True
        done = self.model.progress.step - before
        self.step += done
        return done

    def _is_finite(self) -> bool:
        return all(np.isfinite(weight).all() for weight in self.weights())

    def _retreat(self) -> None:
        """Go back to finite weights: the loss shows an overflow one step after it happened."""
        why = self.diverged or f"weights: became infinite at step {self.step}"
        while not self._is_finite():
            self.rewind(self.step - 1)
        self.diverged = why

    def _keep(self) -> None:
        """Put a copy of the model into the ring; when it is full, keep every second one."""
        copy = self._built(self.settings)
        copy.take_over(self.model)
        self.ring.append(Moment(self.step, copy, self.segments, self.best))
        size = 4 * 3 * max(copy.count_params(), 1)  # weights and up to two slots
        if len(self.ring) > max(min(RING_BYTES // size, RING_LENGTH), 4):
            self.ring = self.ring[::2]
            self._interval *= 2


def repeated(experiment: Experiment) -> list[tuple[Settings, int]]:
    """Return the settings of each part of the run and its number of steps."""
    ends = [segment.start for segment in experiment.segments[1:]] + [experiment.step]
    pairs = zip(experiment.segments, ends, strict=True)
    return [(segment.settings, end - segment.start) for segment, end in pairs]
