"""Every lesson: its facts, its form, its exercises; without marimo and as marimo runs it."""

import os
import re
import subprocess
import sys

import pytest
from fastnn.learn import runner, text
from fastnn.learn.lesson import Exercise, Picture
from fastnn.learn.standin import Element, Form

LESSONS = list(runner.catalogue().values())
CELLS = {"setup", "title", "data", "library", "break_it", "plain_python", "facts"}
BLOCKED = """
import sys
sys.modules |= dict.fromkeys(["marimo", "anywidget", "matplotlib"])
from fastnn import cli
sys.exit(cli.main(["tutorial", "--check"]))
"""


def shown(lesson):
    return f"{lesson.number}-{lesson.name}"


@pytest.fixture(scope="module", params=LESSONS, ids=shown)
def played(request):
    pytest.importorskip("matplotlib")
    pytest.importorskip("anywidget")
    played = runner.play(request.param, pictures=True)
    yield played
    for view in played.names.values():
        if type(view).__name__ == "LiveView":
            view.close()


def test_every_fact_holds(played):
    assert [str(fact) for fact in played.names["facts"] if not fact.holds] == []
    assert played.names["facts"]


def test_the_cells_of_a_lesson_are_there(played):
    names = [cell.name for cell in played.cells]
    assert {*names} >= CELLS
    assert any(cell.is_picture for cell in played.cells)
    assert names.index("title") < names.index("facts") == len(names) - 1


def test_facts_depend_on_no_control(played):
    """They are facts of the lesson, whatever a learner has moved."""
    makers = {name: cell for cell in played.cells for name in cell.returns}
    cell = next(cell for cell in played.cells if cell.name == "facts")
    open_names, found = {*cell.parameters}, set()
    while open_names:
        name = open_names.pop()
        found.add(name)
        open_names |= {*makers[name].parameters} - found
    assert [name for name in found if isinstance(played.names[name], Element | Form)] == []


def test_a_lesson_has_two_exercises_with_hints_and_reasons(played):
    exercises = [found for found in played.names.values() if isinstance(found, Exercise)]
    number = played.lesson.number
    assert [exercise.name for exercise in exercises] == [f"{number}.1", f"{number}.2"]
    for exercise in exercises:
        assert exercise.is_right(exercise.answer)
        assert exercise.hint
        assert exercise.why


def test_pictures_are_described(played):
    pictures = [found for found in played.shown.values() if isinstance(found, Picture)]
    assert all(len(picture.alt) > 40 for picture in pictures)


def test_a_lesson_imports_the_library_and_numpy_alone(played):
    found = re.findall(r"^\s+(?:import|from) ([\w.]+)", played.lesson.path.read_text(), re.M)
    assert {*found} <= {
        "fastnn",
        "numpy",
        "marimo",
        "fastnn.learn",
        "fastnn.learn.live",
        "sklearn.datasets",
    }


def test_a_lesson_reads_as_text(played):
    found = text.plain(played.lesson.number)
    assert found.startswith(f"{played.lesson.number}. {played.lesson.title.rstrip('.')}")
    assert "**" not in found
    assert f"(answer: fastnn tutorial {played.lesson.number} --check)" in found
    assert "PASS" in found


def test_lessons_run_without_marimo_and_matplotlib():
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for lesson in LESSONS:
        assert f"{lesson.number}. {lesson.title}" in done.stdout


@pytest.mark.parametrize("lesson", LESSONS, ids=shown)
def test_a_lesson_runs_as_a_script(lesson, tmp_path):
    pytest.importorskip("marimo")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(lesson.path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "fastnn").exists()
