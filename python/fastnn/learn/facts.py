"""Facts: numbers that a lesson claims, with the bounds that they keep."""

from __future__ import annotations

import html
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastnn.check import wrong_value


def _inside(value: Any, bounds: Any) -> bool:
    low, high = bounds
    return bool(low <= value <= high)


RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "in": _inside,
}


@dataclass(frozen=True)
class Fact:
    """A number that was computed, and the bound that it keeps.

    Parameters
    ----------
    text : str
        What the number is.
    value : number, bool or str
        What was computed; NaN keeps no bound.
    relation : {"<", "<=", ">", ">=", "==", "in"}
        How the value stands to the bound.
    bound : number, bool, str or pair of numbers
        The bound; a pair, both ends included, for "in".

    Raises
    ------
    ValueError
        If the relation is unknown.

    Examples
    --------
    >>> fact = Fact("weights equal least squares", 3.1e-5, "<", 1e-3)
    >>> print(fact)
    PASS  weights equal least squares: 3.1e-05 < 0.001
    >>> print(Fact("noise falls to a quarter", 0.4, "in", (0.2, 0.3)))
    FAIL  noise falls to a quarter: 0.4 in [0.2, 0.3]
    """

    text: str
    value: Any
    relation: str
    bound: Any

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise wrong_value("relation", f"one of {', '.join(RELATIONS)}", repr(self.relation))

    @property
    def holds(self) -> bool:
        """Whether the value keeps its bound."""
        return bool(RELATIONS[self.relation](self.value, self.bound))

    @property
    def claim(self) -> str:
        """Value, relation and bound, as one reads them."""
        pair = self.relation == "in"
        bound = f"[{shown(self.bound[0])}, {shown(self.bound[1])}]" if pair else shown(self.bound)
        return f"{shown(self.value)} {self.relation} {bound}"

    def __str__(self) -> str:
        return f"{'PASS' if self.holds else 'FAIL'}  {self.text}: {self.claim}"


class Facts(tuple[Fact, ...]):
    """Facts that were checked; a notebook shows them as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        head = _row("th", "Result", "Fact", "Measured")
        rows = "".join(_row("td", "PASS" if f.holds else "FAIL", f.text, f.claim) for f in self)
        caption = "What this lesson claims, measured when you opened it"
        return (
            f'<table style="width: 100%"><caption>{caption}</caption>'
            f"<thead>{head}</thead><tbody>{rows}</tbody></table>"
        )


def _row(kind: str, *cells: str) -> str:
    """Return a row of a table."""
    style = "text-align: left; vertical-align: top; padding: 0.2em 1em 0.2em 0"
    shown = "".join(f'<{kind} style="{style}">{html.escape(cell)}</{kind}>' for cell in cells)
    return f"<tr>{shown}</tr>"


def check(facts: Iterable[Fact]) -> Facts:
    """Return the facts for a notebook to show, after all of them were found to hold.

    Raises
    ------
    AssertionError
        With the facts that fail, one a line.

    Examples
    --------
    >>> print(check([Fact("two and two", 2 + 2, "==", 4)]))
    PASS  two and two: 4 == 4
    """
    found = Facts(facts)
    failed = [str(fact) for fact in found if not fact.holds]
    if failed:
        raise AssertionError("\n".join(failed))
    return found


def shown(value: Any) -> str:
    """Return a number with four digits, whole ones and all else as they are."""
    is_whole = isinstance(value, int | str) or not hasattr(value, "__float__")
    if is_whole or hasattr(value, "__index__"):
        return str(value)
    return f"{float(value):.4g}"
