"""What lessons are made of: facts, exercises, predictions, pictures, progress, the stand-in."""

import math

import numpy as np
import pytest
from fastnn.learn import lesson, progress, runner, text
from fastnn.learn.lesson import Exercise, Fact
from fastnn.learn.standin import Element, StandIn, Text

mo = StandIn()


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "fastnn" / "lessons.json"


@pytest.mark.parametrize(
    ("value", "relation", "bound", "holds"),
    [
        (1, "<", 2, True),
        (2, "<", 2, False),
        (2, "<=", 2, True),
        (3, ">", 2, True),
        (2, ">=", 2, True),
        (2, ">=", 3, False),
        ("a", "==", "a", True),
        (np.float64(0.2), "in", (0.2, 0.3), True),
        (0.4, "in", (0.2, 0.3), False),
        (math.nan, "<", 2, False),
        (math.nan, "in", (0.2, 0.3), False),
    ],
)
def test_a_fact_holds_within_its_bound(value, relation, bound, holds):
    assert Fact("a number", value, relation, bound).holds is holds


def test_a_fact_reads_as_a_line():
    assert str(Fact("steps", np.int64(12345), "==", 12345)) == "PASS  steps: 12345 == 12345"
    assert str(Fact("error", 1.23456e-7, "<", 1e-9)) == "FAIL  error: 1.235e-07 < 1e-09"


def test_an_unknown_relation_is_refused():
    with pytest.raises(ValueError, match=r"relation: expected one of <, <=, .*, got '~'"):
        Fact("a number", 1, "~", 2)


def test_check_lists_the_facts_that_fail():
    facts = [Fact("one", 1, "==", 1), Fact("two", 1, "==", 2), Fact("three", 1, "==", 3)]
    with pytest.raises(AssertionError) as failed:
        lesson.check(facts)
    assert str(failed.value) == "FAIL  two: 1 == 2\nFAIL  three: 1 == 3"


def test_a_notebook_shows_facts_as_a_table():
    shown = lesson.check([Fact("a < b", 1, "<", 2)])._repr_html_()
    assert ">PASS</td>" in shown
    assert ">a &lt; b</td>" in shown
    assert ">1 &lt; 2</td>" in shown


def answered(answer, show=False):
    return {"answer": answer, "show": show}


def shown_text(stack):
    return stack.items[0].text


SIDES = Exercise("7.1", "Sides of {a, b}?", answer=6, tolerance=0.5, hint="Count.", why="Six.")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (answered(6), "**Right.** Six."),
        (answered(6.5), "**Right.** Six."),
        (answered(6, show=True), "**Right.** Six."),
        (answered(7), "**Not yet.** Count."),
        (answered(None, show=True), "**6** Six."),
        (answered(7, show=True), "**6** Six."),
    ],
)
def test_a_verdict_says_what_is_right(given, text):
    assert shown_text(SIDES.verdict(mo, given)).strip() == text


def test_an_exercise_says_nothing_before_it_is_answered(state):
    form = SIDES.ask(mo)
    assert form.value == answered(None)
    assert SIDES.verdict(mo, form.value) == Text("")
    assert not state.exists()


def test_braces_of_a_question_are_no_fields():
    assert "Sides of {{a, b}}?" in SIDES.ask(mo).text


def test_a_choice_is_right_or_wrong():
    exercise = Exercise("7.2", "Which?", answer="b", choices=("a", "b"))
    assert exercise.ask(mo).elements["answer"].options == ("a", "b")
    assert exercise.is_right("b")
    assert not exercise.is_right("a")


def test_an_answer_is_one_of_the_choices():
    with pytest.raises(ValueError, match=r"answer: expected one of \['a', 'b'\], got 'c'"):
        Exercise("7.2", "Which?", answer="c", choices=("a", "b"))


def test_a_prediction_is_revealed_whatever_was_chosen():
    chosen = mo.ui.radio(options=["yes", "no"], value="yes")
    assert shown_text(lesson.reveal(mo, chosen, "yes", "So.")) == "**You predicted right.** So."
    assert shown_text(lesson.reveal(mo, chosen, "no", "So.")) == "**The answer: no** So."
    with pytest.raises(ValueError, match=r"right: expected one of .*, got 'maybe'"):
        lesson.reveal(mo, chosen, "maybe", "So.")


def test_two_right_exercises_tick_a_lesson(state):
    assert SIDES.verdict(mo, answered(6)) == SIDES.verdict(mo, answered(6))
    assert progress.done() == set()
    assert progress.record("7.2") == ""
    assert progress.done() == {7}
    assert [path.name for path in state.parent.iterdir()] == [state.name]


def test_progress_lives_in_the_home_folder_without_a_setting(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert progress.path() == tmp_path / ".local" / "state" / "fastnn" / "lessons.json"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"right": 3}', '{"right": [1, {}]}', '{"right": ["x"]}']
)
def test_a_file_that_is_no_list_of_exercises_counts_for_nothing(state, text):
    state.parent.mkdir()
    state.write_text(text)
    assert progress.done() == set()
    assert progress.record("1.1") == ""
    assert "1.1" in progress.right()


def test_an_answer_stays_right_where_it_cannot_be_noted(state):
    state.parent.write_text("a file where the folder should be")
    assert "**Right.** Six. (not noted:" in shown_text(SIDES.verdict(mo, answered(6)))


def test_a_picture_has_a_description():
    pytest.importorskip("matplotlib")
    drawn = lesson.figure(lambda left, right: left.plot([1, 2]), alt='a "line" & more', columns=2)
    assert b"<svg" in drawn.svg
    assert 'alt="a &quot;line&quot; &amp; more"' in drawn._repr_html_()


def test_elements_of_the_stand_in_have_the_values_they_start_with():
    assert mo.ui.slider(1, 5).value == 1
    assert mo.ui.slider(1, 5, value=3).value == 3
    assert mo.ui.slider(steps=[0.1, 1.0], value=1.0).value == 1.0
    assert mo.ui.slider(steps=[0.1, 1.0]).value == 0.1
    assert mo.ui.dropdown(options={"a": 1, "b": 2}, value="b").value == 2
    assert mo.ui.matrix([[1, 2]], step=0.5).value == [[1, 2]]
    assert mo.ui.radio(options=["a"]).value is None
    assert [mo.ui.switch().value, mo.ui.run_button().value] == [False, False]


def test_the_same_lesson_is_asked_for_by_number():
    with pytest.raises(ValueError, match=r"lesson: expected one of 1, 2.*, got 99"):
        runner.find(99)


def test_a_header_says_title_minutes_and_what_comes_before(tmp_path, monkeypatch):
    (tmp_path / "03_scale.py").write_text('"""Why scale? 9 minutes. After: 1, 2."""\n')
    monkeypatch.setattr(runner, "FOLDER", tmp_path)
    found = runner.find(3)
    assert (found.title, found.minutes, found.after) == ("Why scale?", 9, "1, 2")
    (tmp_path / "04_x.py").write_text('"""No minutes."""\n')
    with pytest.raises(ValueError, match=r"04_x.py: expected a header .*, got 'No minutes.'"):
        runner.catalogue()


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("# A *title*", "A title\n======="),
        ("a **bold** `word`, 2 * 3 * 4", "a bold word, 2 * 3 * 4"),
        ("- one\n  goes on\n- two", "- one goes on\n- two"),
        ("1. one\n2. two", "1. one\n2. two"),
        ("```\na = b  *c*\n```", "    a = b  *c*"),
        ("[a page](https://a.example)", "a page (https://a.example)"),
        ("| a | **b** |\n| --- | --- |", "| a | b |\n| --- | --- |"),
    ],
)
def test_markdown_reads_as_text(markdown, found):
    assert text.markdown(markdown) == found


def test_long_lines_are_wrapped():
    assert max(map(len, text.markdown("word " * 50).splitlines())) <= text.WIDTH


def test_a_control_without_choices_says_nothing_in_text():
    assert text._text(Element("rate", 0.1)) == ""
    assert text._text(mo.vstack([Text("a"), Element("rate"), Text("b")])) == "a\n\nb"


def test_a_choice_that_is_made_is_a_name_in_a_text_and_says_nothing_beside_it():
    table = mo.md("| {film} |").batch(
        film=mo.ui.dropdown(["not seen", "★"], "not seen", label="Up")
    )
    assert text._text(table) == "| Up |"
    assert text._text(Element("kind", "a", ("a", "b"))) == ""
    assert text._text(Element("Which?", None, ("a", "b"))) == "Which?\n  ( ) a\n  ( ) b"
