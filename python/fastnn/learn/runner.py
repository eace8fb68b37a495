"""Lessons without marimo and without a browser: read from their files, cell by cell.

A lesson is a marimo notebook: functions under ``@app.cell``, which take the names they use and
return those they make, in an order in which each finds what it needs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastnn.check import wrong_value
from fastnn.learn.facts import Fact
from fastnn.learn.standin import StandIn

FOLDER = Path(__file__).parent / "lessons"
HEADER = re.compile(r"(?P<title>.+[?.]) (?P<minutes>\d+) minutes\. After: (?P<after>.+)\.")
SHOWN = "_shown"


@dataclass(frozen=True)
class Lesson:
    """A lesson as its file's header describes it."""

    number: int
    name: str
    title: str
    minutes: int
    after: str
    path: Path


@dataclass(frozen=True)
class Cell:
    """A cell: `node` is its function, `returns` the names that it makes."""

    name: str
    node: ast.FunctionDef
    parameters: tuple[str, ...]
    returns: tuple[str, ...]
    source: str

    @property
    def is_picture(self) -> bool:
        """Whether the cell draws, which needs matplotlib or anywidget."""
        return self.name.startswith("picture_")

    def run(self, path: Path, mo: Any, names: dict[str, Any]) -> Any:
        """Run the cell, put what it makes into `names` and return what it shows.

        Raises
        ------
        ValueError
            If it takes a name that no cell before it made.
        """
        for name in self.parameters:
            if name not in names:
                raise wrong_value(self.name, f"{name} from a cell before it", "none")
        space = {"mo": mo}
        module = ast.fix_missing_locations(ast.Module([_as_function(self.node)], []))
        exec(compile(module, str(path), "exec"), space)
        made, shown = space[self.name](*(names[name] for name in self.parameters))
        names.update(zip(self.returns, made, strict=True))
        return shown


@dataclass
class Played:
    """What came of a lesson: its cells, the names they made and what each showed."""

    lesson: Lesson
    cells: list[Cell]
    names: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)


def catalogue() -> dict[int, Lesson]:
    """Return the lessons by number, as their files describe themselves.

    Raises
    ------
    ValueError
        If a header does not read ``Title? 8 minutes. After: 1, 2.``
    """
    return {
        lesson.number: lesson for lesson in map(_header, sorted(FOLDER.glob("[0-9][0-9]_*.py")))
    }


def find(number: int) -> Lesson:
    """Return the lesson of this number.

    Raises
    ------
    ValueError
        If there is none.
    """
    lessons = catalogue()
    if number not in lessons:
        raise wrong_value("lesson", f"one of {', '.join(map(str, lessons))}", number)
    return lessons[number]


def run(number: int) -> list[Fact]:
    """Run a lesson without its pictures and return its facts, whether or not they hold.

    Examples
    --------
    >>> facts = run(1)
    >>> all(fact.holds for fact in facts)
    True
    """
    return list(play(find(number)).names["facts"])


def play(lesson: Lesson, *, pictures: bool = False) -> Played:
    """Run the cells of a lesson in order, with elements at their defaults.

    Parameters
    ----------
    lesson : Lesson
        Which one.
    pictures : bool
        Whether cells named `picture_...` run too.
    """
    played = Played(lesson, cells(lesson.path))
    mo = StandIn()
    for cell in played.cells:
        if pictures or not cell.is_picture:
            played.shown[cell.name] = cell.run(lesson.path, mo, played.names)
    return played


def cells(path: Path) -> list[Cell]:
    """Return the cells of a notebook in the order of the file."""
    text = path.read_text(encoding="utf-8")
    return list(_cells(text))


def _cells(text: str) -> Iterator[Cell]:
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and any(map(_is_cell, node.decorator_list)):
            parameters = tuple(argument.arg for argument in node.args.args)
            last = node.body[-1]
            made = last.value if isinstance(last, ast.Return) else None
            returns = tuple(e.id for e in getattr(made, "elts", ()) if isinstance(e, ast.Name))
            body = "\n".join(lines[node.body[0].lineno - 1 : node.end_lineno])
            yield Cell(node.name, node, parameters, returns, body)


def _is_cell(decorator: ast.expr) -> bool:
    """Return whether this is `app.cell` or `app.cell(...)`."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Attribute) and called.attr == "cell"


def _as_function(node: ast.FunctionDef) -> ast.FunctionDef:
    """Return the cell as a function of (what it makes, what it shows).

    marimo itself is not imported, and the last expression of `facts`, which raises where a fact
    fails, is left out: whoever runs a lesson wants to see all facts.
    """
    body = [statement for statement in node.body if not _imports_marimo(statement)]
    made: ast.expr = ast.Tuple([], ast.Load())
    if body and isinstance(body[-1], ast.Return):
        made = body.pop().value or made  # type: ignore[attr-defined]
    shown: ast.expr = ast.Constant(None)
    if body and isinstance(body[-1], ast.Expr):
        last = body.pop().value  # type: ignore[attr-defined]
        shown = shown if node.name == "facts" else last
    both = [
        ast.Assign([ast.Name(SHOWN, ast.Store())], shown),
        ast.Return(ast.Tuple([made, ast.Name(SHOWN, ast.Load())], ast.Load())),
    ]
    fields = {**dict(ast.iter_fields(node)), "body": body + both, "decorator_list": []}
    return ast.copy_location(ast.FunctionDef(**fields), node)


def _imports_marimo(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import) and statement.names[0].name == "marimo"


def _header(path: Path) -> Lesson:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    found = HEADER.fullmatch(text)
    if found is None:
        raise wrong_value(path.name, "a header 'Title? 8 minutes. After: 1, 2.'", repr(text))
    number, name = path.stem.split("_", 1)
    return Lesson(int(number), name, found["title"], int(found["minutes"]), found["after"], path)
