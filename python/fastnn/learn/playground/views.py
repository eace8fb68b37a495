"""What is shown of a snapshot: boundary, neurons, edges, curve, measures, diagnosis."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import Model, Sequential, diagnose
from fastnn.learn.playground import breaking, frame, measures, network, schema
from fastnn.learn.playground.frame import Section
from fastnn.learn.playground.snapshot import Snapshot

Array = NDArray[Any]

# Settings that need another model to look with; those of an optimizer do not.
MODEL = [f.name for f in schema.BY_NAME.values() if f.group in {"task", "net", "penalty"}]
THUMBNAIL = 24  # pixels of a side
SHOWN = 8  # units of a layer that are drawn
GRID, GRID_AT_REST = 0.006, 0.1  # seconds that a boundary may take; else it has fewer pixels
LEAST_SIDE = 32
FLOPS = 2e10  # a second, as a first guess at what a pixel takes
ROWS = 500  # at most, to measure gradients and silent units on
PATIENCE = 0.1  # seconds between two diagnoses of a network in training
DIVERGED = {
    "kind": "diverged",
    "layer": None,
    "severity": "broken",
    "text": "The loss is no number any more: a step was so large that numbers overflowed. "
    "Training stopped at the last step that was whole.",
    "remedy": "A smaller learning rate, smaller initial weights, scaled inputs, bounded gradients.",
}


class Views:
    """Computes frames with models of its own, one frame at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._net: tuple[object, ...] = ()  # data and settings that the models are made for
        self._model: Sequential
        self._hidden: Model | None
        self._pixels: dict[int, Array] = {}
        self._pixel_cost = 0.0
        self._found: dict[str, Any] = {}
        self._found_for: tuple[object, ...] = ()
        self._found_at = 0.0

    def frame(
        self,
        snapshot: Snapshot,
        views: Collection[str],
        since: int,
        side: int,
        edges: str,
        rows: str,
    ) -> bytes:
        """Return a frame of a snapshot.

        Parameters
        ----------
        snapshot : Snapshot
        views : collection of {"boundary", "neurons", "edges"}
        since : int
            Entries of the curve that the browser has.
        side : int
            Pixels of the boundary's side, at most: a large network gets half or a quarter.
        edges : {"weight", "gradient", "update"}
        rows : {"training", "validation"}
            What confusion, ROC and calibration are of.
        """
        with self._lock:
            self._follow(snapshot)
            start = since if 0 <= since <= snapshot.curve_length else 0
            state = self._state(snapshot, start, rows)
            sections = [*self._pictures(snapshot, views, side)]
            if "edges" in views:
                sections += self._edges(snapshot, edges)
            curve = snapshot.curve.rows[start : snapshot.curve_length]
            values = np.array(curve, np.float32).reshape(-1, 3)
            sections.append(Section(frame.CURVE, values, values.shape))
            flags = frame.RUNNING * (snapshot.status == "running")
            flags |= frame.DIVERGED * snapshot.diverged
            flags |= frame.WAITING * (snapshot.status == "waiting")
            head = frame.Head(
                flags, snapshot.step, snapshot.loss, snapshot.validation, snapshot.speed
            )
            return frame.encode(head, state, sections)

    def _follow(self, snapshot: Snapshot) -> None:
        """Bring the models of this view to the snapshot's weights."""
        points, settings = snapshot.points, snapshot.settings
        net = (snapshot.versions["data"], *(settings[name] for name in MODEL))
        if net != self._net:
            classes = len(points.classes)
            self._model = network.build(settings, len(points.features), classes)
            self._hidden = network.hidden_outputs(self._model) if settings["layers"] else None
            self._net, self._pixels, self._found_for = net, {}, ()
            self._pixel_cost = 2 * self._model.count_params() / FLOPS
        self._model.set_weights(snapshot.weights)
        if self._hidden is not None:
            self._hidden.set_weights(snapshot.weights[: len(self._hidden.parameters())])

    def _grid(self, snapshot: Snapshot, side: int) -> Array:
        """Return what the network is shown at the middles of the picture's pixels, by rows."""
        if side not in self._pixels:
            low_1, high_1, low_2, high_2 = snapshot.points.bounds
            middles = (np.arange(side) + 0.5) / side
            x1, x2 = np.meshgrid(
                low_1 + (high_1 - low_1) * middles, high_2 - (high_2 - low_2) * middles
            )
            plane = np.column_stack([x1.ravel(), x2.ravel()])
            self._pixels[side] = snapshot.points.shown(plane).astype(np.float32)
        return self._pixels[side]

    def _pictures(self, snapshot: Snapshot, views: Collection[str], side: int) -> Iterator[Section]:
        """Yield the boundary and the thumbnails of hidden units."""
        with np.errstate(all="ignore"):
            if "boundary" in views:
                budget = GRID if snapshot.status == "running" else GRID_AT_REST
                while side > LEAST_SIDE and side * side * self._pixel_cost > budget:
                    side //= 2
                shown = self._grid(snapshot, side)
                begun = time.perf_counter()
                output = self._model.predict(shown, n_jobs=1)
                self._pixel_cost = (time.perf_counter() - begun) / (side * side)
                yield self._boundary(snapshot, np.asarray(output), side)
            if "neurons" in views and self._hidden is not None:
                found = self._hidden.predict(self._grid(snapshot, THUMBNAIL), n_jobs=1)
                layers = found if isinstance(found, list) else [found]
                maps = np.concatenate([layer[:, :SHOWN] for layer in layers], axis=1).T
                largest = np.abs(maps).max(axis=1, keepdims=True)
                scaled = 128 + 127 * maps / np.where(largest > 0, largest, 1.0)
                pixels = _bytes(scaled).reshape(-1, THUMBNAIL, THUMBNAIL)
                yield Section(frame.NEURONS, pixels, pixels.shape)

    def _boundary(self, snapshot: Snapshot, output: Array, side: int) -> Section:
        task = snapshot.settings["task"]
        if task == "multiclass":
            best = output.argmax(axis=1)
            chance = output[np.arange(len(output)), best]
            pixels = np.column_stack([best.astype(np.uint8), _bytes(255 * chance)])
            return Section(frame.BOUNDARY, pixels.reshape(side, side, 2), (side, side, 2))
        low, high = (0.0, 1.0) if task == "binary" else snapshot.points.range
        values = 255 * (output[:, 0] - low) / (high - low if high > low else 1.0)
        return Section(frame.BOUNDARY, _bytes(values).reshape(side, side), (side, side))

    def _edges(self, snapshot: Snapshot, edges: str) -> Iterator[Section]:
        """Yield the weights between the units that are drawn, or their gradients or changes."""
        names = [name for name, _ in self._model.parameters()]
        if edges == "gradient":
            x, y = self._some(snapshot)
            found = self._model.gradients(x, y)[1]
            values = [found[name] for name in names]
        elif edges == "update":
            values = snapshot.update or [np.zeros_like(weight) for weight in snapshot.weights]
        else:
            values = snapshot.weights
        kernels = [value for name, value in zip(names, values, strict=True) if value.ndim == 2]
        for layer, kernel in enumerate(kernels):
            rows = len(kernel) if layer == 0 else SHOWN
            shown = np.ascontiguousarray(kernel[:rows, :SHOWN], np.float32)
            yield Section(frame.EDGES, shown, (layer, *shown.shape))

    def _some(self, snapshot: Snapshot) -> tuple[Array, Array]:
        """Return training rows to measure on, the targets as the loss wants them."""
        x, y = snapshot.points.training
        return x[:ROWS], self._targets(snapshot, y[:ROWS])

    def _targets(self, snapshot: Snapshot, y: Array) -> Array:
        return network.targets(snapshot.settings, len(snapshot.points.classes), y)

    def _state(self, snapshot: Snapshot, start: int, rows: str) -> dict[str, Any]:
        settings, points = snapshot.settings, snapshot.points
        shown = [list(range(min(units, SHOWN))) for units in settings["layers"]]
        return {
            "status": snapshot.status,
            "why": snapshot.why,
            "step": snapshot.step,
            "epoch": snapshot.epoch,
            "steps_per_second": snapshot.speed,
            "loss": snapshot.loss,
            "val_loss": snapshot.validation,
            **snapshot.versions,
            "curve": {
                "start": start,
                "length": snapshot.curve_length,
                "version": snapshot.curve.version,
            },
            "rewind": list(snapshot.ring),
            "shown": shown,
            "classes": len(points.classes),
            **self._measured(snapshot, rows),
        }

    def _measured(self, snapshot: Snapshot, rows: str) -> dict[str, Any]:
        """Return measures and the diagnosis, made anew when they are old enough."""
        wanted = (snapshot.step, self._net, rows, snapshot.status)
        young = time.monotonic() - self._found_at < PATIENCE and snapshot.status == "running"
        same_rows = self._found_for[1:3] == wanted[1:3]
        if self._found_for and (self._found_for == wanted or (young and same_rows)):
            return self._found
        points = snapshot.points
        x, y = self._some(snapshot)
        held_x, held_y = points.validation
        previous = None
        if snapshot.update:
            pairs = zip(snapshot.weights, snapshot.update, strict=True)
            previous = [weight - update for weight, update in pairs]
        with np.errstate(all="ignore"):
            found = diagnose(
                self._model,
                x,
                y,
                validation_data=(held_x, self._targets(snapshot, held_y)),
                previous=previous,
            )
            scores = measures.all_of(self._model, snapshot.settings["task"], points, rows)
        findings = [asdict(finding) for finding in found.findings]
        if snapshot.diverged and not any(f["kind"] == "diverged" for f in findings):
            findings.insert(0, DIVERGED)
        for finding in findings:
            finding["fix"] = bool(breaking.fix(finding["kind"], snapshot.settings))
        layers = [asdict(layer) for layer in found.layers]
        self._found = {"layers": layers, "findings": findings, **scores}
        self._found_for, self._found_at = wanted, time.monotonic()
        return self._found


def _bytes(values: Array) -> Array:
    """Return numbers as bytes: rounded, cut at 0 and 255, 0 for what is no number."""
    return np.asarray(np.nan_to_num(np.clip(np.rint(values), 0, 255)), np.uint8)
