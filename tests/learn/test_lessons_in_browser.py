"""Every lesson as a learner meets it: marimo's app mode in a real browser."""

import json
import re

import pytest
from fastnn.learn import lesson, runner
from fastnn.learn.lesson import Exercise

from tests.browser import pages
from tests.learn.serving import served

LESSONS = list(runner.catalogue().values())
LIVE = re.compile(r"^step [\d,]+, loss")


def shown(lesson):
    return f"{lesson.number}-{lesson.name}"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module", params=LESSONS, ids=shown)
def opened(request, chromium, state):
    """A lesson and its address."""
    pytest.importorskip("marimo")
    with served(request.param.number, state) as address:
        yield request.param, address


@pytest.fixture(scope="module")
def page(chromium, opened):
    """The page of the lesson, all of whose cells have run: the facts come last."""
    with pages(chromium) as new_page:
        found = new_page()
        found.goto(opened[1])
        found.get_by_role("cell", name="PASS").first.wait_for()
        yield found


def test_a_lesson_opens_without_an_error(opened, page):
    shown = opened[0]
    title = f"{shown.number}. {shown.title}"
    assert page.get_by_role("heading", level=1).inner_text() == title.rstrip(".")
    assert page.title() == title.rstrip(".")
    assert page.get_by_text("Traceback").count() == 0
    assert page.locator("[data-testid=marimo-error], .output-error").count() == 0
    assert page.complaints == []
    assert page.outside == []


def test_one_predicts_before_one_sees_a_picture(page):
    page.get_by_text(lesson.PREDICT_FIRST).first.wait_for()
    page.get_by_role("radiogroup").first.get_by_role("radio").first.check()
    page.get_by_text("The answer:").or_(page.get_by_text("You predicted right.")).wait_for()
    page.get_by_text(lesson.PREDICT_FIRST).first.wait_for(state="detached")
    assert page.get_by_text("Traceback").count() == 0
    assert page.complaints == []


def test_right_answers_tick_the_lesson(opened, page, state):
    shown = opened[0]
    played = runner.play(shown)
    for exercise in played.names.values():
        if isinstance(exercise, Exercise):
            fill_in(page, exercise)
            page.get_by_text("Right.", exact=True).nth(int(exercise.name[-1]) - 1).wait_for()
    noted = json.loads((state / "fastnn" / "lessons.json").read_text())["right"]
    assert {f"{shown.number}.1", f"{shown.number}.2"} <= {*noted}


@pytest.mark.parametrize("opened", [runner.find(2)], ids=shown, indirect=True)
def test_a_live_picture_goes_on_when_a_slider_moves(page):
    """The rate changes under the same picture: nothing is drawn anew, no step is lost."""
    page.get_by_role("radiogroup").first.get_by_role("radio").first.check()
    page.get_by_role("heading", name="Live: a network").scroll_into_view_if_needed()
    canvas = page.locator("canvas").first
    canvas.evaluate("canvas => { canvas.marked = true; }")
    before = steps_beyond(page, 100)
    rate = page.get_by_role("slider").nth(2)
    rate.focus()
    rate.press("ArrowRight")
    steps_beyond(page, before + 100)
    assert canvas.evaluate("canvas => canvas.marked")
    assert page.complaints == []


@pytest.mark.parametrize("opened", [runner.find(9)], ids=shown, indirect=True)
def test_eight_units_that_one_asks_for_part_disc_and_ring(page):
    page.get_by_role("radiogroup").first.get_by_role("radio").first.check()
    units = page.get_by_role("slider").first
    units.focus()
    for _ in range(7):
        units.press("ArrowRight")
    page.get_by_role("button", name="Run").click()
    steps_beyond(page, 3000)
    assert float(page.get_by_text(LIVE).inner_text().split()[-1]) < 0.1
    assert page.complaints == []


@pytest.mark.parametrize("opened", [runner.find(13)], ids=shown, indirect=True)
def test_another_kernel_makes_another_map(page):
    page.get_by_role("radiogroup").first.get_by_role("radio").first.check()
    page.get_by_alt_text("the sum is -0.69").wait_for()
    page.get_by_label("kernel", exact=True).select_option("horizontal edges")
    page.get_by_alt_text("the sum is 0.31").wait_for()
    assert page.complaints == []


@pytest.mark.parametrize("opened", [runner.find(15)], ids=shown, indirect=True)
def test_a_rating_changes_the_list_and_a_slider_adds_a_trial(page):
    page.get_by_role("radiogroup").first.get_by_role("radio").first.check()
    first = page.get_by_alt_text("First comes")
    first.wait_for()
    before = first.get_attribute("alt")
    page.get_by_role("combobox").first.select_option("★★★★★")
    page.wait_for_function("alt => !document.querySelector(`img[alt='${alt}']`)", arg=before)
    page.get_by_role("slider").first.press("End")
    page.get_by_role("row", name="32 0.03").wait_for()
    assert page.get_by_role("row", name="2 0.03", exact=False).count() == 2
    assert page.complaints == []


@pytest.mark.parametrize("opened", [runner.find(16)], ids=shown, indirect=True)
def test_a_longer_code_rebuilds_better(page):
    page.get_by_role("radiogroup").first.get_by_role("radio").first.check()
    page.get_by_alt_text("held back: 0.0383; PCA 0.0383").wait_for()
    page.get_by_role("slider").first.press("ArrowRight")
    page.get_by_alt_text("held back: 0.0243; PCA 0.0243").wait_for()
    assert page.complaints == []


def steps_beyond(page, least):
    """Steps of the live picture, once they are more than this."""
    shown = page.get_by_text(LIVE)
    for _ in range(400):
        steps = int(re.findall(r"[\d,]+", shown.inner_text())[0].replace(",", ""))
        if steps > least:
            return steps
        page.wait_for_timeout(50)
    raise AssertionError(f"{steps} steps")


def fill_in(page, exercise):
    """Answer an exercise rightly."""
    form = page.locator("marimo-ui-element").filter(has_text=f"Exercise {exercise.name}").last
    if exercise.choices:
        form.get_by_role("radio", name=exercise.answer).check()
    else:
        field = form.locator("input:not([type=checkbox]):not([type=hidden])").first
        field.fill(f"{exercise.answer:.6g}")
        field.press("Enter")
