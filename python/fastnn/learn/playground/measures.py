"""How well a network does on some rows: score, confusion matrix, ROC, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import Model
from fastnn.learn.playground.points import Points

Array = NDArray[Any]

BINS = 10
LONGEST = 100  # points of a ROC curve that are sent


def all_of(model: Model, task: str, points: Points, rows: str) -> dict[str, Any]:
    """Return scores of both parts, and the pictures of one: training or validation."""
    parts = {"training": points.training, "validation": points.validation}
    outputs = {name: np.asarray(model.predict(x, n_jobs=1)) for name, (x, _) in parts.items()}
    scores = [score(task, outputs[name], y) for name, (_, y) in parts.items()]
    output, y = outputs[rows], parts[rows][1]
    return {
        "score": scores[0],
        "val_score": scores[1],
        "score_name": "R2" if task == "regression" else "accuracy",
        "confusion": None if task == "regression" else confusion(task, output, y),
        "roc": roc(output[:, 0], y) if task == "binary" else None,
        "calibration": None if task == "regression" else calibration(task, output, y),
    }


def labels(task: str, output: Array) -> Array:
    """Return the classes that outputs (n, k) say."""
    if task == "binary":
        return (output[:, 0] > 0.5).astype(np.int64)
    return np.asarray(output.argmax(axis=1))


def score(task: str, output: Array, y: Array) -> float:
    """Return the accuracy, or the share of the variance explained (R2)."""
    if task != "regression":
        return float((labels(task, output) == y).mean())
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - output[:, 0]) ** 2).sum()) / spread if spread else 0.0


def confusion(task: str, output: Array, y: Array) -> list[list[int]]:
    """Return how many rows of each true class (rows) were given each class (columns)."""
    n = 2 if task == "binary" else output.shape[1]
    counts = np.bincount(y * n + labels(task, output), minlength=n * n)
    return [[int(count) for count in row] for row in counts.reshape(n, n)]


def roc(scores: Array, y: Array) -> dict[str, Any] | None:
    """Return false and true positive rates by threshold, and the area; None without both classes.

    The area is the chance that a positive row scores higher than a negative one, ties counting
    half.
    """
    positives = int(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives or not np.isfinite(scores).all():
        return None
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order].astype(np.float64), y[order]
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    true, false = np.cumsum(hits)[last], np.cumsum(1 - hits)[last]
    tpr, fpr = np.append(0, true) / positives, np.append(0, false) / negatives
    area = float(((fpr[1:] - fpr[:-1]) * (tpr[1:] + tpr[:-1]) / 2).sum())
    kept = np.unique(np.linspace(0, len(tpr) - 1, min(len(tpr), LONGEST)).astype(int))
    thresholds = np.append(1.0, falling[last])
    curve = {"fpr": fpr, "tpr": tpr, "thresholds": thresholds}
    return {**{name: values[kept].tolist() for name, values in curve.items()}, "auc": area}


def calibration(task: str, output: Array, y: Array) -> list[list[float]]:
    """Return (mean probability, share that came true, rows) of ten bins of probability.

    Of two classes the second one counts; of several, the one that was given.
    """
    if task == "binary":
        chance, true = output[:, 0], y
    else:
        chance, true = output.max(axis=1), labels(task, output) == y
    place = np.clip(np.nan_to_num(chance * BINS), 0, BINS - 1).astype(int)
    found = []
    for i in range(BINS):
        inside = place == i
        if inside.any():
            mean, share = float(chance[inside].mean()), float(true[inside].mean())
            found.append([mean, share, int(inside.sum())])
    return found
