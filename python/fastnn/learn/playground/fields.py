"""The kinds of setting: what a value may be, and how it reads in a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastnn import check

NO_CONDITION: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True)
class Field:
    """One setting: a flag; subclasses hold other values.

    Attributes
    ----------
    name, label, help : str
        The key, the word beside the control, and one sentence that explains it.
    default : Any
        Value at the start.
    group : str
        Part of the form: data, task, net, optimizer, penalty or run.
    effect : str
        What a change does: "data" makes the data anew and "net" the weights, so training starts
        again; "live" changes the training that goes on, "run" only how it is run.
    lesson : int, optional
        The lesson that explains it.
    when : dict of str to tuple of str
        The setting counts only where these other settings have one of these values.
    """

    name: str
    label: str
    default: Any
    group: str
    effect: str
    help: str
    lesson: int | None = None
    when: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_CONDITION)

    kind = "flag"

    def checked(self, value: Any) -> Any:
        """Return the value in the form that settings hold; ValueError or TypeError if wrong."""
        return check.flag(self.name, value)

    def read(self, text: str) -> Any:
        """Return what a link says."""
        if text not in {"0", "1"}:
            raise check.wrong_value(self.name, "0 or 1", repr(text))
        return text == "1"

    def written(self, value: Any) -> str:
        """Return how a link says it."""
        return str(int(value))

    def described(self) -> dict[str, Any]:
        """Return what the page needs to make a control."""
        names = [name for name in self.__dataclass_fields__ if name != "when"]
        found = {name: getattr(self, name) for name in names}
        return {"kind": self.kind, **found, "when": {k: list(v) for k, v in self.when.items()}}


@dataclass(frozen=True)
class Choice(Field):
    """One word of some; `titles` say in the form what they mean."""

    choices: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    kind = "choice"

    def checked(self, value: Any) -> str:
        """Return the word."""
        return check.choice(self.name, value, self.choices)

    def read(self, text: str) -> str:
        """Return the word."""
        return text

    def written(self, value: str) -> str:
        """Return the word."""
        return value


@dataclass(frozen=True)
class Number(Field):
    """A number within limits; `log` asks for a slider with even steps of the exponent."""

    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    log: bool = False

    kind = "number"

    def checked(self, value: Any) -> float:
        """Return the number."""
        return check.number(self.name, value, self.low, self.high)

    def read(self, text: str) -> float:
        """Return the number."""
        try:
            return float(text)
        except ValueError:
            raise check.wrong_value(self.name, "a number", repr(text)) from None

    def written(self, value: float) -> str:
        """Return the shortest text that reads as the same number."""
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)


@dataclass(frozen=True)
class Integer(Number):
    """A whole number within limits."""

    step: float = 1.0

    kind = "integer"

    def checked(self, value: Any) -> int:
        """Return the number."""
        return check.integer(self.name, value, int(self.low), int(self.high))

    def read(self, text: str) -> int:
        """Return the number."""
        if not text.isdecimal():
            raise check.wrong_value(self.name, "a whole number", repr(text))
        return int(text)

    def written(self, value: float) -> str:
        """Return the number."""
        return str(value)


@dataclass(frozen=True)
class Several(Field):
    """A list of values, each checked by the field `item`, `least` to `most` of them."""

    item: Field = field(default_factory=lambda: Field("", "", False, "", "", ""))
    least: int = 0
    most: int = 8
    distinct: bool = False

    kind = "several"

    def checked(self, value: Any) -> list[Any]:
        """Return the list."""
        expected = f"a list of {self.least} to {self.most} values"
        if not isinstance(value, list | tuple):
            raise check.wrong_type(self.name, expected, value)
        if not self.least <= len(value) <= self.most:
            raise check.wrong_value(self.name, expected, f"{len(value)} of them")
        found = [self.item.checked(entry) for entry in value]
        if self.distinct and len(set(found)) < len(found):
            raise check.wrong_value(self.name, "different values", value)
        return found

    def read(self, text: str) -> list[Any]:
        """Return the values, which commas part."""
        if len(text) > 1000:
            raise check.wrong_value(self.name, "a shorter list", f"{len(text)} characters")
        return [self.item.read(part) for part in text.split(",")] if text else []

    def written(self, value: list[Any]) -> str:
        """Return the values with commas between."""
        return ",".join(self.item.written(entry) for entry in value)

    def described(self) -> dict[str, Any]:
        """Return what the page needs to make a control."""
        return {**super().described(), "item": self.item.described()}
