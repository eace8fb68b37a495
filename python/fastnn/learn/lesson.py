"""What a lesson is made of: predictions, exercises, pictures and facts.

A lesson imports this module as ``from fastnn.learn import lesson`` and hands it marimo as ``mo``,
or the stand-in with which lessons run without marimo (`fastnn.learn.standin`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastnn.check import wrong_value
from fastnn.learn import progress
from fastnn.learn.facts import Fact, Facts, check, shown
from fastnn.learn.pictures import BLUE, GREY, ORANGE, Picture, figure

__all__ = [
    "BLUE",
    "GREY",
    "ORANGE",
    "Exercise",
    "Fact",
    "Facts",
    "Picture",
    "check",
    "figure",
    "predict_first",
    "reveal",
]

PREDICT_FIRST = "The picture comes once you have made your prediction above."


def predict_first(mo: Any, prediction: Any) -> None:
    """Stop the cell until the learner has made a prediction.

    Parameters
    ----------
    mo : module
        marimo or its stand-in.
    prediction : ui element
        The question; its value is None until it is answered.
    """
    mo.stop(prediction.value is None, mo.md(f"*{PREDICT_FIRST}*"))


def reveal(mo: Any, prediction: Any, right: str, why: str) -> Any:
    """Return what to show after a prediction: was it right, and why.

    Parameters
    ----------
    mo : module
        marimo or its stand-in.
    prediction : ui element
        A radio group; the answer is revealed whatever was chosen, and in a lesson that is read
        as text.
    right : str
        The right one of its options.
    why : str
        The reason, in Markdown.
    """
    options = list(prediction.options)
    if right not in options:
        raise wrong_value("right", f"one of {options}", repr(right))
    if prediction.value == right:
        return mo.callout(mo.md(f"**You predicted right.** {why}"), kind="success")
    return mo.callout(mo.md(f"**The answer: {right}** {why}"), kind="info")


@dataclass(frozen=True)
class Exercise:
    """A question whose answer is a number or one of some choices.

    `ask` makes its form, `verdict` judges what was filled in; a notebook needs a cell for each.

    Parameters
    ----------
    name : str
        Number of the lesson, a point, number of the exercise: "1.2".
    question : str
        Markdown.
    answer : float or str
        Computed by the lesson; with choices, the right one.
    tolerance : float
        How far from the answer a number may be.
    hint : str
        Shown after a wrong answer, in Markdown.
    why : str
        Shown with the right answer, in Markdown.
    choices : tuple of str
        What one may choose from; empty asks for a number.

    Raises
    ------
    ValueError
        If the answer is none of the choices.

    Examples
    --------
    >>> exercise = Exercise("1.1", "How many sides has a cube?", answer=6)
    >>> exercise.is_right(6.0), exercise.is_right(5)
    (True, False)
    """

    name: str
    question: str
    answer: Any
    tolerance: float = 0.0
    hint: str = ""
    why: str = ""
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.choices and self.answer not in self.choices:
            raise wrong_value("answer", f"one of {list(self.choices)}", repr(self.answer))

    def is_right(self, given: Any) -> bool:
        """Return whether this answer is right."""
        if self.choices:
            return bool(given == self.answer)
        return bool(abs(given - self.answer) <= self.tolerance)

    def ask(self, mo: Any) -> Any:
        """Return the form: its value holds `answer` (None while empty) and `show`."""
        if self.choices:
            answer = mo.ui.radio(options=list(self.choices), label="Your answer")
        else:
            answer = mo.ui.number(label="Your answer")
        question = self.question.replace("{", "{{").replace("}", "}}")
        text = f"### Exercise {self.name}\n\n{question}\n\n{{answer}}\n\n{{show}}"
        return mo.md(text).batch(answer=answer, show=mo.ui.checkbox(label="Show the answer"))

    def verdict(self, mo: Any, given: dict[str, Any]) -> Any:
        """Return what to show below the form; a right answer is noted by `progress`.

        Parameters
        ----------
        mo : module
            marimo or its stand-in.
        given : dict
            Value of the form that `ask` made.
        """
        if given["answer"] is not None and self.is_right(given["answer"]):
            note = progress.record(self.name)
            return mo.callout(mo.md(f"**Right.** {self.why} {note}"), kind="success")
        if given["show"]:
            return mo.callout(mo.md(f"**{shown(self.answer)}** {self.why}"), kind="info")
        if given["answer"] is not None:
            return mo.callout(mo.md(f"**Not yet.** {self.hint}"), kind="warn")
        return mo.md("")
