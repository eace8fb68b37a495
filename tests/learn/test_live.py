"""The live picture of a notebook: it answers like the trainer, and draws in marimo's app mode."""

import re

import pytest

pytest.importorskip("anywidget")

from fastnn.learn.live import LiveView
from fastnn.learn.playground import schema
from fastnn.learn.playground.experiment import Experiment

from tests.learn.client import decoded

from .serving import served


class Heard(LiveView):
    """A view that keeps what it would send to a browser."""

    def send(self, content, buffers=None):
        self.heard = content, buffers


@pytest.fixture
def view():
    made = Heard({"data": "circles", "layers": [4]}, show=["boundary", "network"])
    yield made
    made.close()


def ask(view, **content):
    view._answer(view, content, [])
    return getattr(view, "heard", None)


def test_it_answers_like_the_trainer(view):
    ask(view, type="step", n=70)
    content, buffers = ask(view, type="frame", views=["boundary"], since=0, side=32, edges="weight")
    assert content == {"type": "frame"}
    frame = decoded(buffers[0])
    twin = Experiment(schema.changed(schema.DEFAULTS, {"data": "circles", "layers": [4]}))
    twin.advance(70)
    assert (frame.step, frame.state["loss"]) == (70, twin.losses()[0])
    assert "boundary" in frame.sections
    ask(view, type="reset")
    assert decoded(ask(view, type="frame", views=[])[1][0]).step == 0


def test_a_change_is_live_and_new_points_are_sent(view):
    ask(view, type="step", n=10)
    points = view.data
    view.set({"learning_rate": 0.2})
    assert view.data is points
    assert decoded(ask(view, type="frame", views=[])[1][0]).step == 10
    view.set({"data": "moons"})
    assert view.data["version"] > points["version"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"settings": {"data": "cubes"}}, "data: expected one of"),
        ({"show": ["sky"]}, "show: expected one of boundary, loss, ladder, network"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LiveView(**arguments)


def test_a_lesson_shows_training_live(browser, tmp_path):
    pytest.importorskip("marimo")
    with served(2, tmp_path) as address:
        page = browser(height=3000)
        page.goto(address)
        page.get_by_role("radiogroup").first.get_by_role("radio").first.check()
        live = page.locator(".fastnn-live")
        live.get_by_role("button", name="Pause").click()
        live.get_by_role("button", name="Run").wait_for()
        live.get_by_role("button", name="Reset").click()
        live.get_by_text(re.compile("^step 0, loss")).wait_for()
        live.get_by_role("button", name="Step 100").click()
        live.get_by_text(re.compile("^step 100, loss")).wait_for()
        for name in ("boundary", "loss"):
            colours = live.locator(f"canvas.{name}").evaluate(
                "c => new Set(new Uint32Array(c.getContext('2d')"
                ".getImageData(0, 0, c.width, c.height).data.buffer)).size"
            )
            assert colours > 5, name
        assert page.complaints == []
        assert page.outside == []
