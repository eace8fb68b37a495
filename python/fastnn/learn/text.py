"""Lessons as text, for terminals, screen readers and paper."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, TypeGuard

from fastnn.learn.lesson import Exercise, Picture
from fastnn.learn.runner import Cell, Played, find, play
from fastnn.learn.standin import Element, Form, Shown, Stack, Text

WIDTH = 80
NUMBER = "\0"
ITEM = re.compile(r"(\s*(?:[-*]|\d+\.) +)(.*)", re.DOTALL)


def plain(number: int) -> str:
    """Return a lesson as text: what it says, its code, results, exercises and facts.

    Examples
    --------
    >>> plain(1).splitlines()[0]
    '1. What is learning?'
    """
    played = play(find(number))
    parts = [part for cell in played.cells for part in _cell(played, cell)]
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def _cell(played: Played, cell: Cell) -> Iterator[str]:
    """Yield the parts of a cell's text."""
    if cell.is_picture:
        yield _picture(cell)
        return
    if cell.name == "facts":
        yield "Facts\n-----\n" + "\n".join(map(str, played.names["facts"]))
        return
    shown = played.shown[cell.name]
    if isinstance(shown, Shown):
        yield textwrap.indent(_code(cell), "    ")
    yield _text(shown)
    if any(isinstance(played.names[name], Exercise) for name in cell.returns):
        yield f"(answer: fastnn tutorial {played.lesson.number} --check)"


def _text(shown: Any) -> str:
    """Return what a cell shows as text."""
    if shown is None:
        return ""
    if isinstance(shown, Text):
        return markdown(shown.text)
    if isinstance(shown, Form):
        text = shown.text
        for name, element in shown.elements.items():
            # a choice that is made already is a name in the text
            words = _text(element) or (element.label if element.options else "")
            text = text.replace(f"{{{name}}}", "" if name == "show" else words)
        return markdown(text.replace("{{", "{").replace("}}", "}"))
    if isinstance(shown, Element):
        # a control that one cannot move says nothing; a choice is part of a question
        options = [f"  ( ) {option}" for option in shown.options if shown.value is None]
        return "\n".join([markdown(shown.label), *options]) if options else ""
    if isinstance(shown, Stack):
        titles = [f"{title}\n\n" for title in shown.titles] or [""] * len(shown.items)
        items = zip(titles, map(_text, shown.items), strict=True)
        return "\n\n".join(title + item for title, item in items if item)
    if isinstance(shown, Shown):
        return _text(shown.output)
    return f"[picture: {shown.alt}]" if isinstance(shown, Picture) else str(shown)


def _picture(cell: Cell) -> str:
    """Return the description of a picture that is not drawn, but for sentences with numbers.

    A live picture is described by what it shows; a cell that only steers one says nothing.
    """
    live = [views for node in ast.walk(cell.node) if (views := _shown_live(node))]
    if live:
        return f"[live picture of a network in training: {', '.join(live[0])}]"
    described = [node.value for node in ast.walk(cell.node) if _is_description(node)]
    if not described:
        return ""
    parts = described[0].values if isinstance(described[0], ast.JoinedStr) else described
    words = (str(p.value) if isinstance(p, ast.Constant) else NUMBER for p in parts)
    sentences = re.split(r"(?<=\.) ", "".join(words))
    kept = " ".join(sentence for sentence in sentences if NUMBER not in sentence)
    return textwrap.fill(f"[picture: {kept or 'of the numbers below'}]", WIDTH)


def _shown_live(node: ast.AST) -> list[str]:
    """Return what a call of LiveView is asked to show."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "LiveView":
        for given in node.keywords:
            if given.arg == "show":
                return list(ast.literal_eval(given.value))
    return []


def _is_description(node: ast.AST) -> TypeGuard[ast.keyword]:
    return isinstance(node, ast.keyword) and node.arg == "alt"


def _code(cell: Cell) -> str:
    """Return the code of a cell without what shows and returns it."""
    statements = [s for s in cell.node.body if not isinstance(s, ast.Return | ast.Expr)]
    first, last = cell.node.body[0].lineno, max(s.end_lineno or 0 for s in statements)
    return textwrap.dedent("\n".join(cell.source.splitlines()[: last - first + 1]))


def markdown(text: str) -> str:
    """Return Markdown as one reads it in a terminal.

    Examples
    --------
    >>> print(markdown("## Steps" + chr(10) * 2 + "A *step* is **one** move."))
    Steps
    -----
    <BLANKLINE>
    A step is one move.
    """
    pieces = re.split(r"(^```.*?^```$)", inspect.cleandoc(text), flags=re.DOTALL | re.MULTILINE)
    blocks: list[str] = []
    for piece in pieces:
        if piece.startswith("```"):
            blocks.append(textwrap.indent("\n".join(piece.splitlines()[1:-1]), "    "))
        else:
            blocks += map(_block, re.split(r"\n\s*\n", piece))
    return "\n\n".join(block for block in blocks if block.strip())


def _block(block: str) -> str:
    """Return a paragraph, heading, list or table as text."""
    block = block.strip("\n")
    heading = re.fullmatch(r"(#+) +(.*)", block)
    if heading is not None:
        title = _inline(heading[2])
        return title + "\n" + ("=" if len(heading[1]) == 1 else "-") * len(title)
    if block.lstrip().startswith(("|", "( )")) or block.startswith("    "):
        return _inline(block)
    items = re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", block)
    return "\n".join(_wrapped(_inline(item)) for item in items)


def _wrapped(text: str) -> str:
    item = ITEM.fullmatch(text)
    lead, rest = (item[1], item[2]) if item else ("", text)
    kept = {"break_long_words": False, "break_on_hyphens": False}
    lines = textwrap.wrap(" ".join(rest.split()), WIDTH - len(lead), **kept)  # type: ignore[arg-type]
    return lead + ("\n" + " " * len(lead)).join(lines)


def _inline(text: str) -> str:
    """Return text without the marks of emphasis, code and links."""
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"\1 (\2)", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text, flags=re.DOTALL)
    text = re.sub(r"(?<![\w*])\*([^\s*][^*]*)\*(?![\w*])", r"\1", text)
    return text.replace("`", "")
