"""A stand-in for marimo, which lessons are handed where they run without it.

It has the part of marimo that lessons may use: texts are kept, elements have the value with which
they start, and nothing stops.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Text:
    """Markdown."""

    text: str

    def batch(self, **elements: Element) -> Form:
        """Return a form: this text with elements in places of it."""
        return Form(self.text, elements)


@dataclass(frozen=True)
class Element:
    """A control at the value with which it starts."""

    label: str
    value: Any = None
    options: Sequence[str] = ()


@dataclass(frozen=True)
class Form:
    """A text with elements, whose value is a dict of their values."""

    text: str
    elements: dict[str, Element]

    @property
    def value(self) -> dict[str, Any]:
        """Values of the elements by name."""
        return {name: element.value for name, element in self.elements.items()}


@dataclass(frozen=True)
class Stack:
    """Several things, one below the other; `titles` names the parts that open and close."""

    items: Sequence[Any]
    titles: Sequence[str] = ()


@dataclass(frozen=True)
class Shown:
    """A result below the code that computed it."""

    output: Any


class Elements:
    """`mo.ui`: makes elements."""

    def slider(
        self,
        start: float = 0,
        stop: float = 0,
        step: float | None = None,
        value: float | None = None,
        *,
        steps: Sequence[float] | None = None,
        label: str = "",
        **_: Any,
    ) -> Element:
        """Return a slider at its value, or at its start."""
        first = steps[0] if steps is not None else start
        return Element(label, first if value is None else value)

    def number(self, *, label: str = "", value: float | None = None, **_: Any) -> Element:
        """Return a field for a number."""
        return Element(label, value)

    def matrix(self, value: Any, *, label: str = "", **_: Any) -> Element:
        """Return a table of numbers to edit."""
        return Element(label, value)

    def radio(
        self,
        options: Sequence[str] | Mapping[str, Any],
        value: str | None = None,
        *,
        label: str = "",
        **_: Any,
    ) -> Element:
        """Return a choice of one option, none at first."""
        chosen = options[value] if isinstance(options, Mapping) and value is not None else value
        return Element(label, chosen, tuple(options))

    dropdown = radio

    def switch(self, value: bool = False, *, label: str = "", **_: Any) -> Element:
        """Return a switch."""
        return Element(label, value)

    checkbox = switch

    def run_button(self, *, label: str = "click to run", **_: Any) -> Element:
        """Return a button that was not pressed."""
        return Element(label, False)


@dataclass(frozen=True)
class StandIn:
    """The module `mo`."""

    ui: Elements = field(default_factory=Elements)

    def md(self, text: str) -> Text:
        """Return Markdown without its indentation."""
        return Text(inspect.cleandoc(text))

    def stop(self, predicate: bool, output: object = None) -> None:
        """Go on: without a learner there is nothing to wait for."""

    def vstack(self, items: Sequence[Any], **_: Any) -> Stack:
        """Return things one below the other."""
        return Stack(tuple(items))

    hstack = vstack

    def callout(self, value: Any, **_: Any) -> Stack:
        """Return what a box holds."""
        return Stack((value,))

    def accordion(self, items: Mapping[str, Any], **_: Any) -> Stack:
        """Return parts with titles."""
        return Stack(tuple(items.values()), tuple(items))

    def show_code(self, output: object = None, **_: Any) -> Shown:
        """Return a result that stands below its code."""
        return Shown(output)
