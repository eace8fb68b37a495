"""Checks of arguments and the one form of messages: `<argument>: expected <what>, got <what>`."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_LARGEST = 2**63 - 1  # of any size or count; the core counts in 64 bits


def wrong_value(argument: str, expected: str, got: object, remedy: str = "") -> ValueError:
    """Return the error for a value that is out of range, of a wrong shape or unknown."""
    return ValueError(message(argument, expected, got, remedy))


def wrong_type(
    argument: str, expected: str, value: object = None, *, got: str = "", remedy: str = ""
) -> TypeError:
    """Return the error for a value of a wrong type, shown by its type or by the text `got`."""
    shown = "None" if value is None else type(value).__name__
    return TypeError(message(argument, expected, got or shown, remedy))


def message(argument: str, expected: str, got: object, remedy: str = "") -> str:
    """Return `<argument>: expected <what>, got <what>`, then the remedy if there is one."""
    return f"{argument}: expected {expected}, got {got}" + (f"; {remedy}" if remedy else "")


def integer(argument: str, value: object, minimum: int = 0, maximum: int | None = None) -> int:
    """Return `value` as an int of [minimum, maximum]; a bool or a float is refused."""
    largest = _LARGEST if maximum is None else maximum
    if type(value) is int and minimum <= value <= largest:
        return value
    limits = f">= {minimum}" if maximum is None else f"in [{minimum}, {maximum}]"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise wrong_type(argument, f"an integer {limits}", value)
    found = operator.index(value)
    if not minimum <= found <= largest:
        raise wrong_value(argument, f"an integer {limits}", found)
    return found


def number(
    argument: str,
    value: object,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> float:
    """Return `value` as a finite float within limits; `above` and `below` leave a limit out."""
    opening, closing = "(" if above else "[", ")" if below else "]"
    if math.isfinite(maximum):
        expected = f"a number in {opening}{minimum:g}, {maximum:g}{closing}"
    elif math.isfinite(minimum):
        expected = f"a finite number {'>' if above else '>='} {minimum:g}"
    else:
        expected = "a finite number"
    if isinstance(value, bool | str | complex) or not hasattr(value, "__float__"):
        raise wrong_type(argument, expected, value)
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise wrong_type(argument, expected, value) from None
    low = found > minimum if above else found >= minimum
    high = found < maximum if below else found <= maximum
    if not (math.isfinite(found) and low and high):
        raise wrong_value(argument, expected, value)
    return found


def flag(argument: str, value: object) -> bool:
    """Return `value` as a bool; only True and False pass (and NumPy's)."""
    if type(value).__name__ not in {"bool", "bool_"}:
        raise wrong_type(argument, "True or False", value)
    return bool(value)


def choice(argument: str, value: object, choices: Iterable[str]) -> str:
    """Return `value` when it is one of the words `choices`."""
    words = list(choices)
    expected = "one of " + ", ".join(words)
    if not isinstance(value, str):
        raise wrong_type(argument, expected, value)
    if value not in words:
        raise wrong_value(argument, expected, repr(value))
    return value


def described(argument: str, value: object, kind: type[T], names: Mapping[str, type[T]]) -> T:
    """Return a description given as an instance of `kind` or by one of its `names`."""
    if isinstance(value, kind):
        return value
    expected = f"{_article(kind.__name__)} or one of {', '.join(names)}"
    if not isinstance(value, str):
        raise wrong_type(argument, expected, value)
    if value not in names:
        raise wrong_value(argument, expected, repr(value))
    return names[value]()


def shape(argument: str, value: Any) -> tuple[int, ...]:
    """Return `value`, one size or several, as a tuple of positive ints."""
    sizes = value if isinstance(value, tuple | list) else (value,)
    return tuple(integer(argument, size, 1) for size in sizes)


def name(argument: str, value: object) -> str | None:
    """Return `value` when it is None or a word fit for naming parameters."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(argument, "a word", value)
    if not value or "/" in value or ":" in value:
        raise wrong_value(argument, "a word without '/' and ':'", repr(value))
    return value


def _article(noun: str) -> str:
    return ("an " if noun[0].lower() in "aeiou" else "a ") + noun
