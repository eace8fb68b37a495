"""What the trainer leaves for whoever looks: a moment of training that never changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fastnn.learn.playground.experiment import Curve, Experiment
from fastnn.learn.playground.points import Points
from fastnn.learn.playground.schema import Settings

Array = NDArray[Any]


@dataclass(frozen=True)
class Snapshot:
    """Numbers and copies of weights; the points and the settings are those of the experiment."""

    status: str
    why: str
    step: int
    epoch: int
    speed: float
    loss: float
    validation: float
    diverged: bool
    settings: Settings
    points: Points
    versions: dict[str, int]
    weights: list[Array]
    update: list[Array]
    curve: Curve
    curve_length: int
    ring: tuple[int, ...]


def taken(experiment: Experiment, status: str, why: str, speed: float) -> Snapshot:
    """Return a snapshot of an experiment whose losses were just measured."""
    return Snapshot(
        status=status,
        why=why,
        step=experiment.step,
        epoch=experiment.epoch,
        speed=speed,
        loss=experiment.measured[0],
        validation=experiment.measured[1],
        diverged=bool(experiment.diverged),
        settings=experiment.settings,
        points=experiment.points,
        versions=dict(experiment.versions),
        weights=experiment.weights(),
        update=experiment.update,
        curve=experiment.curve,
        curve_length=len(experiment.curve.rows),
        ring=tuple(moment.step for moment in experiment.ring),
    )
