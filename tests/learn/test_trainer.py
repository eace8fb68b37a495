"""The trainer: many threads ask, one trains; frames say what the snapshot holds."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastnn.learn.playground import schema
from fastnn.learn.playground.experiment import Experiment
from fastnn.learn.playground.trainer import Trainer

from tests.learn.client import decoded

SECONDS = 20  # until a wait for another thread counts as a failure


@pytest.fixture
def trainer():
    made = Trainer(schema.DEFAULTS, idle_after=None)
    made.start()
    yield made
    made.close()


def until(condition):
    """Wait until a condition of another thread holds."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "another thread did not get there"
        threading.Event().wait(0.002)


def state_of(trainer, **asked):
    return decoded(trainer.frame((), **asked)).state


def test_steps_are_those_of_an_experiment(trainer):
    trainer.step(300)
    trainer.set({"learning_rate": 0.05, "l2": 0.001})
    trainer.step(250)
    twin = Experiment(schema.DEFAULTS)
    twin.advance(300)
    twin.change({"learning_rate": 0.05, "l2": 0.001})
    twin.advance(250)
    state = state_of(trainer)
    assert (state["step"], state["status"]) == (550, "paused")
    assert (state["loss"], state["val_loss"]) == twin.losses()


def test_running_goes_on_until_it_is_paused(trainer):
    assert state_of(trainer)["status"] == "ready"
    trainer.run(True)
    until(lambda: state_of(trainer)["step"] > 2000)
    assert state_of(trainer)["status"] == "running"
    trainer.run(False)
    step = state_of(trainer)["step"]
    trainer.set({"speed": 5})
    assert state_of(trainer)["step"] == step
    assert state_of(trainer)["status"] == "paused"


def test_a_budget_and_patience_stop_it_exactly(trainer):
    trainer.set({"budget": 333})
    trainer.run(True)
    until(lambda: state_of(trainer)["status"] == "stopped")
    assert state_of(trainer)["step"] == 333
    assert state_of(trainer)["why"] == "The budget of 333 steps is used up."
    trainer.set({"budget": 0, "patience": 3, "data": "blobs", "learning_rate": 1.0})
    trainer.run(True)
    until(lambda: state_of(trainer)["status"] == "stopped")
    first = state_of(trainer)
    assert "has not improved for 3 epochs" in first["why"]
    trainer.reset()
    trainer.run(True)
    until(lambda: state_of(trainer)["status"] == "stopped")
    assert state_of(trainer)["step"] == first["step"]


def test_it_waits_when_nobody_looks_and_goes_on_when_somebody_does():
    trainer = Trainer(schema.DEFAULTS, idle_after=0.05)
    trainer.start()
    try:
        trainer.run(True)
        until(lambda: trainer._latest.status == "waiting")
        step = trainer._latest.step
        assert "waiting" in decoded(trainer.frame(())).flags
        until(lambda: state_of(trainer)["step"] > step)
    finally:
        trainer.close()


def test_a_slow_speed_is_kept(trainer):
    trainer.set({"speed": 200})
    begun = time.monotonic()
    trainer.run(True)
    until(lambda: state_of(trainer)["step"] >= 40)
    assert time.monotonic() - begun > 0.15


def test_many_threads_may_ask_at_once(trainer):
    trainer.run(True)
    rates = [0.001 * (i + 1) for i in range(40)]

    def ask(i):
        trainer.set({"learning_rate": rates[i]})
        return decoded(trainer.frame({"boundary", "neurons", "edges"})).step

    with ThreadPoolExecutor(8) as pool:
        steps = list(pool.map(ask, range(40)))
    assert max(steps) > 0
    assert trainer.settings()["learning_rate"] in rates


def test_the_slot_of_settings_joins_what_waits():
    trainer = Trainer(schema.DEFAULTS, idle_after=None)
    with ThreadPoolExecutor(2) as pool:
        trainer.start()
        answers = [pool.submit(trainer.set, c) for c in ({"l2": 0.1}, {"dropout": 0.5})]
        found = [answer.result(SECONDS) for answer in answers]
    trainer.close()
    assert {answer["effect"] for answer in found} <= {"live", "net", "data", "run", "none"}
    settings = trainer.settings()
    assert (settings["l2"], settings["dropout"]) == (0.1, 0.5)


def test_after_closing_it_says_so(trainer):
    trainer.close()
    for ask in (lambda: trainer.run(True), lambda: trainer.set({"l2": 0.1}), trainer.script):
        with pytest.raises(ValueError, match="trainer: expected a trainer that runs"):
            ask()


SETTINGS = {
    "binary": {"data": "circles", "layers": [12, 3]},
    "multiclass": {"data": "pinwheel", "task": "multiclass"},
    "regression": {"data": "hills", "task": "regression", "layers": [4]},
    "linear": {"data": "xor", "layers": []},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_frame_shows_the_snapshot(trainer, name):
    trainer.set(SETTINGS[name])
    trainer.step(150)
    side = 32
    frame = decoded(trainer.frame({"boundary", "neurons", "edges"}, side=side))
    state, sections = frame.state, frame.sections
    twin = Experiment(schema.changed(schema.DEFAULTS, trainer.settings()))
    twin.advance(150)
    low_1, high_1, low_2, high_2 = twin.points.bounds
    places = (np.arange(side) + 0.5) / side
    plane = np.array(
        [
            [low_1 + (high_1 - low_1) * a, high_2 - (high_2 - low_2) * b]
            for b in places
            for a in places
        ]
    )
    output = twin.model.predict(twin.points.shown(plane))
    pixels = sections["boundary"]
    task = twin.settings["task"]
    if task == "multiclass":
        assert pixels.shape == (side, side, 2)
        np.testing.assert_array_equal(pixels[..., 0].ravel(), output.argmax(axis=1))
        np.testing.assert_allclose(pixels[..., 1].ravel(), 255 * output.max(axis=1), atol=0.51)
    else:
        low, high = (0, 1) if task == "binary" else twin.points.range
        assert pixels.shape == (side, side)
        wanted = np.clip(255 * (output[:, 0] - low) / (high - low), 0, 255)
        np.testing.assert_allclose(pixels.ravel(), wanted, atol=0.51)
    units = [min(n, 8) for n in twin.settings["layers"]]
    assert [len(shown) for shown in state["shown"]] == units
    if units:
        assert sections["neurons"].shape == (sum(units), 24, 24)
    kernels = [w for w in twin.weights() if w.ndim == 2]
    edges = sections["edges"]
    assert len(edges) == len(kernels)
    for layer, (found, kernel) in enumerate(zip(edges, kernels, strict=True)):
        shown = kernel[: len(kernel) if layer == 0 else 8, :8]
        np.testing.assert_array_equal(found, shown, strict=True)
    assert frame.step == state["step"] == 150
    assert state["loss"] == twin.losses()[0]
    assert frame.loss == np.float32(state["loss"])


def test_edges_show_gradients_and_the_last_step(trainer):
    trainer.step(20)
    twin = Experiment(schema.DEFAULTS)
    twin.advance(19)
    before = twin.weights()
    twin.advance(1)
    gradients = twin.model.gradients(*twin.points.training)[1]
    for edges, wanted in (
        ("gradient", gradients["hidden_1/kernel"]),
        ("update", twin.weights()[0] - before[0]),
    ):
        first = decoded(trainer.frame({"edges"}, edges=edges)).sections["edges"][0]
        np.testing.assert_allclose(first, wanted[:, :8], rtol=1e-6)


def test_the_curve_is_sent_from_where_the_browser_stands(trainer):
    for _ in range(5):
        trainer.step(30)
    frame = decoded(trainer.frame(()))
    state, whole = frame.state, frame.sections["curve"]
    assert whole[:, 0].tolist() == [0, 30, 60, 90, 120, 150]
    assert whole[-1, 1] == frame.loss
    later = decoded(trainer.frame((), since=4))
    assert later.state["curve"] == {**state["curve"], "start": 4}
    np.testing.assert_array_equal(later.sections["curve"], whole[4:])
    trainer.rewind(60)
    again = decoded(trainer.frame((), since=6)).state["curve"]
    assert again["start"] == 0
    assert again["version"] > state["curve"]["version"]


def test_findings_come_with_their_remedies(trainer):
    trainer.preset("zeros")
    trainer.step(50)
    found = state_of(trainer)["findings"]
    assert found[0]["kind"] == "symmetric_units"
    assert found[0]["fix"]
    assert trainer.fix("symmetric_units")["settings"]["initializer"] == "glorot_uniform"
    trainer.step(400)
    assert "symmetric_units" not in [f["kind"] for f in state_of(trainer)["findings"]]


def test_a_diverged_run_says_so_and_is_mended(trainer):
    trainer.preset("explode")
    until(lambda: state_of(trainer)["status"] == "diverged")
    state = state_of(trainer)
    assert state["findings"][0]["kind"] == "diverged"
    assert state["why"].startswith("loss: became nan")
    trainer.fix("diverged")
    until(lambda: state_of(trainer)["step"] > 3000)
    trainer.run(False)
    assert "diverged" not in [f["kind"] for f in state_of(trainer)["findings"]]


def test_own_points_and_tables_become_data(trainer):
    trainer.points([[-2, 1, 0], [2.5, 1, 3], [2, -1, 3], [0, 0, 0]])
    data = trainer.data()
    assert data["classes"] == ["class 0", "class 3"]
    assert sorted(row[:2] for row in data["points"])[0] == [-2.0, 1.0]
    text = "a,b,kind\n" + "".join(f"{i},{-i},{'even' if i % 2 == 0 else 'odd'}\n" for i in range(9))
    trainer.csv(text, "numbers.csv")
    data = trainer.data()
    assert (data["title"], data["classes"]) == ("numbers.csv", ["even", "odd"])
    assert data["columns"] == ["a", "b"]
    trainer.step(10)
    assert "datasets.read_csv('numbers.csv')" in trainer.script()


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        ([[0, 0, 1]], "points: expected a list of 2 to 2000 points"),
        ("ab", r"points\[0\]: expected \[x1, x2, label\]"),
        ([[0, 0, 1], [7, 0, 1]], r"points\[1\]: expected a number in \[-6, 6\], got 7"),
        ([[0, 0, 1], [1, 0, 10]], r"points\[1\]: expected an integer in \[0, 9\], got 10"),
    ],
)
def test_wrong_points_are_refused(trainer, drawing, message):
    with pytest.raises((ValueError, TypeError), match=message):
        trainer.points(drawing)


@pytest.mark.parametrize(
    "asked",
    [{"views": ["sky"]}, {"side": 1000}, {"since": -1}, {"edges": "sum"}, {"rows": "all"}],
)
def test_wrong_frames_are_refused(trainer, asked):
    with pytest.raises(ValueError, match=f"{next(iter(asked))}: expected"):
        trainer.frame(**{"views": (), **asked})
