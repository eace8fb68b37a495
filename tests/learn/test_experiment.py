"""A run of the playground: its script and its past give the same bits; what it measures is true."""

import io
from typing import Any

import numpy as np
import pytest
from fastnn import datasets, diagnose
from fastnn.learn.playground import breaking, measures, schema, script
from fastnn.learn.playground.experiment import Experiment
from sklearn import metrics

from tests.learn.client import printed

TABLE = datasets.read_csv(
    io.StringIO("a,b,c\n" + "".join(f"{i % 7},{i % 5},{(i % 7) * (i % 5)}.5\n" for i in range(60)))
)


def experiment(table=None, **settings):
    return Experiment(schema.changed(schema.DEFAULTS, settings), table)


def bits(run):
    return b"".join(weight.tobytes() for weight in run.weights())


LIVE = [
    {"learning_rate": 0.05},
    {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
    {"l1": 1e-4, "l2": 1e-3, "dropout": 0.2, "input_noise": 0.1, "batch_size": 7},
    {"activations": ["tanh", "sigmoid"], "activity_l1": 1e-4, "clip": "global_norm"},
    {"optimizer": "adamw", "weight_decay": 0.01, "loss": "squared"},
    {"optimizer": "ftrl", "learning_rate": 0.5},
    {"optimizer": "rmsprop", "centered": True, "learning_rate": 0.001},
    {"optimizer": "adagrad", "loss": "huber", "learning_rate": 0.1},
]
SCRIPTS: dict[str, dict[str, Any]] = {
    "spiral": {},
    "features": {"features": ["x1", "x2^2", "x1*x2", "sin(x1)"], "scaling": False},
    "pinwheel": {"data": "pinwheel", "task": "multiclass", "layers": [5, 300 // 10]},
    "numbers": {"data": "hills", "task": "regression", "loss": "absolute", "initial_scale": 0.5},
    "halves": {"data": "plane", "task": "binary"},
    "thirds": {"data": "hills", "task": "multiclass", "loss": "squared"},
    "drawn": {"data": "drawn", "batch_size": 3},
    "iris": {"data": "iris", "task": "multiclass"},
    "columns": {"data": "cancer", "axes": "columns", "column_1": 3, "column_2": 9},
    "one against the rest": {"data": "wine", "task": "binary"},
    "no hidden layer": {"layers": []},
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_prints_the_same_losses(name, tmp_path):
    run = experiment(**SCRIPTS[name])
    run.advance(200)
    assert tuple(printed(script.written(run), tmp_path).values()) == run.losses()


def test_the_script_knows_every_live_change(tmp_path):
    run = experiment(data="blobs", task="multiclass", layers=[8, 8])
    for changes in LIVE:
        run.advance(37)
        assert run.change(changes) == "live"
    run.change({"learning_rate": 0.2})
    run.change({"learning_rate": 0.02})  # two changes at one step are one
    run.advance(37)
    assert tuple(printed(script.written(run), tmp_path).values()) == run.losses()


def test_the_script_reads_the_table(tmp_path):
    run = Experiment(
        schema.changed(schema.DEFAULTS, {"data": "csv", "task": "regression"}), TABLE, "t.csv"
    )
    run.advance(50)
    rows = np.column_stack([TABLE.X, TABLE.y])
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b,c", comments="", fmt="%.17g")
    assert tuple(printed(script.written(run), tmp_path).values()) == run.losses()


@pytest.mark.parametrize("pieces", [[500], [1] * 20 + [480], [123, 77, 300]])
def test_the_pieces_of_training_do_not_matter(pieces):
    run = experiment(dropout=0.3)
    for n in pieces:
        run.advance(n)
        run.record()
    whole = experiment(dropout=0.3)
    whole.advance(500)
    assert bits(run) == bits(whole)


def test_rewinding_finds_every_moment_again():
    run, seen = experiment(), {}
    for changes in LIVE:
        for _ in range(3):
            run.advance(41)
            run.record()
            seen[run.step] = (bits(run), run.settings["optimizer"])
        run.change(changes)
    for step in sorted(seen, reverse=True):
        assert run.rewind(step) == step
        assert (bits(run), run.settings["optimizer"]) == seen[step]
    assert run.rewind(10**6) == min(seen)  # nothing lies ahead
    assert run.rewind(0) == 0
    assert bits(run) == bits(experiment())


def test_what_runs_is_kept_by_rewinding():
    run = experiment()
    run.advance(20)
    run.change({"budget": 100, "learning_rate": 0.5})
    run.rewind(0)
    assert (run.settings["budget"], run.settings["learning_rate"]) == (100, 0.01)


def test_the_ring_and_the_curve_stay_small():
    run = experiment(data="xor", layers=[4])
    for _ in range(2100):
        run.advance(10)
        run.record()
    steps = [moment.step for moment in run.ring]
    assert len(steps) <= 65
    assert steps[0] == 0
    assert steps[-1] > 0.9 * run.step
    assert len(run.curve.rows) <= 1001
    assert run.curve.rows[-1][0] > 0.9 * run.step


def test_a_new_data_set_brings_its_task():
    run = experiment()
    for data, task in (("iris", "multiclass"), ("hills", "regression"), ("cancer", "binary")):
        assert run.change({"data": data}) == "data"
        assert run.settings["task"] == task
    run.change({"data": "iris", "task": "binary"})
    assert run.points.classes == ("setosa", "the rest")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "csv"}, "data: expected a CSV file to be given first"),
        ({"data": "iris", "axes": "columns", "column_1": 7}, r"column_1: expected .* \[0, 3\]"),
        ({"layers": [1000]}, "layers: expected an integer"),
    ],
)
def test_a_wrong_change_changes_nothing(changes, message):
    run = experiment()
    run.advance(10)
    before = bits(run), run.settings, run.versions
    with pytest.raises(ValueError, match=message):
        run.change(changes)
    assert (bits(run), run.settings, run.versions) == before


def test_divergence_stops_at_the_last_whole_step():
    run = experiment(**breaking.BY_NAME["explode"].settings)
    assert run.advance(2000) < 2000
    assert run.diverged.startswith("loss: became nan")
    assert all(np.isfinite(weight).all() for weight in run.weights())
    again = experiment(**breaking.BY_NAME["explode"].settings)
    again.advance(run.step)
    assert bits(again) == bits(run)


@pytest.mark.parametrize("pieces", [1, 4, 40])
@pytest.mark.parametrize("rate", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("seed", range(4))
def test_weights_stay_finite_whatever_happens(pieces, rate, seed):
    run = experiment(
        layers=[64] * 3,
        optimizer="sgd",
        learning_rate=rate,
        seed=seed,
        scaling=False,
        task="multiclass",
    )
    while run.step < 40 and not run.diverged:
        run.advance(pieces)
        run.record()
        assert all(np.isfinite(weight).all() for weight in run.weights())
    run.change({"learning_rate": 0.01})
    run.reset()
    run.advance(10)
    assert not run.diverged


SHOWN = {
    "explode": "exploding_gradients",
    "vanish": "vanishing_gradients",
    "dead-relu": "dead_units",
    "overfit": "overfitting",
    "unscaled": "unscaled_inputs",
    "zeros": "symmetric_units",
}


def findings(run):
    held = run.points.validation
    found = diagnose(run.model, *run.points.training, validation_data=held)
    return [finding.kind for finding in found.findings]


@pytest.mark.parametrize("name", SHOWN)
def test_a_preset_breaks_it_as_it_says_and_the_fix_mends_it(name):
    run = Experiment(breaking.BY_NAME[name].whole())
    run.advance(1)
    run.advance(1500)
    found = findings(run)
    assert SHOWN[name] in found or run.diverged
    if run.diverged:
        assert name == "explode"
    run.change(breaking.fix(SHOWN[name], run.settings))
    run.reset()
    run.advance(2000)
    assert not run.diverged
    assert SHOWN[name] not in findings(run)
    assert run.losses()[1] < 0.45


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_measures_are_scikit_learns(task, random):
    data = {"binary": "cancer", "multiclass": "iris", "regression": "hills"}[task]
    run = experiment(data=data, task=task)
    run.advance(60)
    x, y = run.points.validation
    output = run.model.predict(x)
    found = measures.all_of(run.model, task, run.points, "validation")
    if task == "regression":
        assert found["val_score"] == pytest.approx(metrics.r2_score(y, output[:, 0]))
        assert found["confusion"] is None
        return
    labels = measures.labels(task, output)
    assert found["confusion"] == metrics.confusion_matrix(y, labels).tolist()
    assert found["val_score"] == metrics.accuracy_score(y, labels)
    assert sum(n for _, _, n in found["calibration"]) == len(y)
    if task == "binary":
        assert found["roc"]["auc"] == pytest.approx(metrics.roc_auc_score(y, output[:, 0]))
