"""The thread that trains, and what others may ask of it."""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from fastnn import check
from fastnn.datasets import Table, read_csv
from fastnn.learn.playground import breaking, schema, script, snapshot
from fastnn.learn.playground.experiment import Experiment
from fastnn.learn.playground.points import LIMIT, natural_task
from fastnn.learn.playground.schema import Settings
from fastnn.learn.playground.snapshot import Snapshot
from fastnn.learn.playground.views import Views

T = TypeVar("T")

CALL = 0.004  # seconds that one call of the core should last
LONGEST_CALL = 0.05  # for networks that take long to measure
MEASURING = 8  # a call lasts at least so many times as long as measuring the losses after it
IDLE = 2.0  # seconds without a look after which training waits
MOST_STEPS = 100_000
PIECE = 100  # of these, between two looks
MOST_POINTS = 2000
VIEWS = ("boundary", "neurons", "edges")


class Trainer:
    """Owns an experiment; every method may be called from any thread.

    Parameters
    ----------
    settings : dict
        All settings of the schema.
    table : Table, optional
        What the data set "csv" is.
    table_name, table_target : str
        The file it came from and the column to learn, for the script.
    idle_after : float or None
        Seconds without a frame after which training waits for the next one; None never waits.
    """

    def __init__(
        self,
        settings: Settings,
        table: Table | None = None,
        *,
        table_name: str = "data.csv",
        table_target: str = "",
        idle_after: float | None = IDLE,
    ) -> None:
        self._experiment = Experiment(settings, table, table_name, table_target)
        self._views = Views()
        self._idle_after = idle_after
        self._wake = threading.Condition()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._slot: tuple[Settings, Future[Any]] | None = None
        self._running = self._closing = False
        self._looked_at = time.monotonic()
        self._status, self._why, self._speed = "ready", "", 0.0
        self._steps_a_call = 1
        self._measuring = CALL
        self._thread = threading.Thread(target=self._work, name="trainer", daemon=True)
        self._latest = self._taken()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and wait for it."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def settings(self) -> Settings:
        """Return all settings."""
        return dict(self._latest.settings)

    def set(self, changes: object) -> dict[str, Any]:
        """Change settings; a change that still waits is joined. Returns settings and effect."""
        schema.changed(schema.DEFAULTS, changes)
        assert isinstance(changes, Mapping)
        with self._wake:
            self._must_live()
            waiting, answer = self._slot or ({}, Future())
            self._slot = ({**waiting, **changes}, answer)
            self._wake.notify()
        found: dict[str, Any] = answer.result()
        return found

    def link(self, text: str) -> dict[str, Any]:
        """Take the settings of a link."""
        return self.set(schema.from_link(text))

    def preset(self, name: str) -> dict[str, Any]:
        """Take the settings of a preset, and run."""
        check.choice("preset", name, breaking.BY_NAME)

        def begin() -> dict[str, Any]:
            answer = self._change(breaking.BY_NAME[name].whole())
            self._experiment.reset()
            self._go(True)
            return answer

        return self._ask(begin)

    def fix(self, kind: str) -> dict[str, Any]:
        """Change what mends a finding, and run; weights past mending start again."""
        check.choice("finding", kind, breaking.FIXES)

        def mend() -> dict[str, Any]:
            answer = self._change(breaking.fix(kind, self._experiment.settings))
            if kind in breaking.PAST_MENDING and answer["effect"] == "live":
                self._experiment.reset()
            self._go(True)
            return answer

        return self._ask(mend)

    def points(self, drawing: object) -> dict[str, Any]:
        """Start again on points that were drawn: [x1, x2, label] each."""
        if not isinstance(drawing, Sequence) or not 2 <= len(drawing) <= MOST_POINTS:
            raise check.wrong_type("points", f"a list of 2 to {MOST_POINTS} points", drawing)
        found = []
        for place, point in enumerate(drawing):
            name = f"points[{place}]"
            if not isinstance(point, Sequence) or len(point) != 3:
                raise check.wrong_type(name, "[x1, x2, label]", point)
            x1, x2 = (check.number(name, value, -LIMIT, LIMIT) for value in point[:2])
            found.append((x1, x2, check.integer(name, point[2], 0, 9)))

        def draw() -> dict[str, Any]:
            self._experiment.replace_data({"data": "drawn"}, found, None)
            return self._answer("data")

        return self._ask(draw)

    def csv(self, text: str, name: str, target: str | None = None) -> dict[str, Any]:
        """Start again on a table given as text."""
        table = read_csv(io.StringIO(text), target or None)
        changes = {"data": "csv", "task": natural_task(table), "column_1": 0, "column_2": 0}

        def read() -> dict[str, Any]:
            self._experiment.replace_data(changes, None, table)
            self._experiment.table_name = name or "data.csv"
            self._experiment.table_target = target or ""
            return self._answer("data")

        return self._ask(read)

    def run(self, running: bool) -> None:
        """Run or pause."""
        check.flag("running", running)
        self._ask(lambda: self._go(running))

    def step(self, n: int) -> None:
        """Pause, and train for n steps; returns when they are done."""
        n = check.integer("n", n, 1, MOST_STEPS)

        def advance() -> None:
            self._go(False)
            left = n
            while left > 0 and not (self._experiment.diverged or self._closing):
                left -= self._advance(min(left, PIECE))
                self._latest = self._taken()
            if not self._experiment.diverged:
                self._status, self._why = "paused", ""

        self._ask(advance)

    def reset(self) -> None:
        """Go back to the initial weights."""

        def again() -> None:
            self._experiment.reset()
            self._status, self._why = ("running" if self._running else "ready"), ""

        self._ask(again)

    def rewind(self, step: int) -> int:
        """Pause, and go back to a step; returns the step reached."""
        step = check.integer("step", step)

        def back() -> int:
            reached = self._experiment.rewind(step)
            self._go(False)
            return reached

        return self._ask(back)

    def data_version(self) -> int:
        """Return a number that grows when the points change."""
        return self._latest.versions["data"]

    def data(self) -> dict[str, Any]:
        """Return the points and their names, as the page draws them."""
        latest = self._latest
        found, name = latest.points, latest.settings["data"]
        n = min(len(found.plane), MOST_POINTS)
        rows = zip(found.plane[:n].tolist(), found.targets[:n].tolist(), strict=True)
        return {
            "version": latest.versions["data"],
            "points": [[*x, y, int(i < found.n_train)] for i, (x, y) in enumerate(rows)],
            "classes": list(found.classes),
            "axes": list(found.axes),
            "bounds": list(found.bounds),
            "range": list(found.range),
            "columns": list(found.columns),
            "title": self._experiment.table_name if name == "csv" else name,
        }

    def script(self) -> str:
        """Return the run so far as a Python script."""
        return self._ask(lambda: script.written(self._experiment))

    def frame(
        self,
        views: Collection[str],
        since: int = 0,
        side: int = 128,
        edges: str = "weight",
        rows: str = "validation",
    ) -> bytes:
        """Return a frame of the latest snapshot; training goes on while somebody looks."""
        for view in views:
            check.choice("views", view, VIEWS)
        check.integer("since", since)
        check.integer("side", side, 16, 256)
        check.choice("edges", edges, ("weight", "gradient", "update"))
        check.choice("rows", rows, ("training", "validation"))
        self._looked_at = time.monotonic()
        if self._status == "waiting":
            with self._wake:
                self._wake.notify()
        return self._views.frame(self._latest, views, since, side, edges, rows)

    def _ask(self, job: Callable[[], T]) -> T:
        """Have the thread do a job between two calls of the core; return its result."""
        answer: Future[T] = Future()
        with self._wake:
            self._must_live()
            self._jobs.append((job, answer))
            self._wake.notify()
        return answer.result()

    def _must_live(self) -> None:
        if self._closing or not self._thread.is_alive():
            raise check.wrong_value("trainer", "a trainer that runs", "one that is closed")

    def _work(self) -> None:
        """Train and answer until closed; the body of the thread."""
        while True:
            with self._wake:
                while not (self._closing or self._jobs or self._slot or self._may_train()):
                    self._wake.wait()
                if self._closing:
                    break
                jobs, slot = list(self._jobs), self._slot
                self._jobs.clear()
                self._slot = None
            if slot is not None:
                self._do(lambda slot=slot: self._change(slot[0]), slot[1])  # type: ignore[misc]
            for job, answer in jobs:
                self._do(job, answer)
            if self._may_train():
                try:
                    self._train()
                except Exception as error:  # the page must learn of it
                    self._stop(f"Training failed: {error}")
                self._latest = self._taken()
        for answer in [
            *(answer for _, answer in self._jobs),
            *([self._slot[1]] if self._slot else []),
        ]:
            answer.cancel()

    def _do(self, job: Callable[[], Any], answer: Future[Any]) -> None:
        try:
            found = job()
        except Exception as error:  # whoever asked is told, the thread goes on
            answer.set_exception(error)
            return
        self._latest = self._taken()
        answer.set_result(found)

    def _change(self, changes: Settings) -> dict[str, Any]:
        effect = self._experiment.change(changes)
        if effect in {"net", "data"} or self._status in {"diverged", "stopped"}:
            self._status, self._why = ("running" if self._running else "ready"), ""
            if not self._running and self._experiment.step:
                self._status = "paused"
        return self._answer(effect)

    def _answer(self, effect: str) -> dict[str, Any]:
        return {"settings": dict(self._experiment.settings), "effect": effect}

    def _go(self, running: bool) -> None:
        self._running = running
        if running:
            self._status, self._why = "running", ""
            self._looked_at = time.monotonic()
        else:
            self._status, self._why = ("paused" if self._experiment.step else "ready"), ""

    def _may_train(self) -> bool:
        """Tell whether to train now; notices when nobody looks any more."""
        if not self._running:
            return False
        idle = time.monotonic() - self._looked_at
        if self._idle_after is not None and idle > self._idle_after:
            if self._status != "waiting":
                self._status, self._why = "waiting", "Nobody looks: training waits."
                self._latest = self._taken()
            return False
        self._status = "running"
        return True

    def _train(self) -> None:
        """Run one call of about CALL seconds, and stop where a rule says so."""
        settings, experiment = self._experiment.settings, self._experiment
        n = self._steps_a_call
        if settings["speed"]:
            n = max(1, min(n, round(settings["speed"] * CALL)))
        if settings["patience"]:
            n = min(n, experiment.steps_to_epoch_end())
        if settings["budget"]:
            n = min(n, settings["budget"] - experiment.step)
        begun = time.perf_counter()
        if n > 0:
            experiment.advance(n)
        spent = time.perf_counter() - begun
        self._measure()
        measuring = time.perf_counter() - begun - spent
        if settings["speed"]:
            with self._wake:
                self._wake.wait(max(0.0, n / settings["speed"] - spent))
            spent = time.perf_counter() - begun
        elif spent > 0:
            self._measuring = min(measuring, 1.2 * self._measuring)  # a wait for others is no cost
            goal = min(max(CALL, MEASURING * self._measuring), LONGEST_CALL)
            self._steps_a_call = max(1, min(round(n * goal / spent), 2 * n, MOST_STEPS))
        self._speed += 0.1 * (n / max(spent + measuring, 1e-9) - self._speed)
        self._stop_by_rules()

    def _advance(self, n: int) -> int:
        """Train for n steps and measure; return how many were done."""
        done = self._experiment.advance(n)
        self._measure()
        return done

    def _measure(self) -> None:
        self._experiment.record()
        if self._experiment.diverged:
            self._running = False
            self._status, self._why = "diverged", self._experiment.diverged

    def _stop_by_rules(self) -> None:
        settings, experiment = self._experiment.settings, self._experiment
        if settings["budget"] and experiment.step >= settings["budget"]:
            self._stop(f"The budget of {settings['budget']:,} steps is used up.")
        waited = experiment.epoch - experiment.best.epoch
        if settings["patience"] and waited >= settings["patience"]:
            self._stop(f"The validation loss has not improved for {waited} epochs.")

    def _stop(self, why: str) -> None:
        if self._running:
            self._running, self._status, self._why = False, "stopped", why

    def _taken(self) -> Snapshot:
        speed = self._speed if self._status == "running" else 0.0
        return snapshot.taken(self._experiment, self._status, self._why, speed)
