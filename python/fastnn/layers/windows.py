"""Windows that walk over images: their sizes, their borders, and how many places they find."""

from __future__ import annotations

from typing import Any

from fastnn import check

Sizes = int | tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]
Padding = str | int | tuple[Any, ...]

_LARGEST = 2**31 - 1


def places(
    n: int,
    window: int,
    stride: int = 1,
    dilation: int = 1,
    padding: str | tuple[int, int] = "valid",
) -> int:
    """Return how many places a window finds along an axis of n pixels; <= 0 if it does not fit.

    A window reaches over e = (window - 1) * dilation + 1 pixels. "same" gives ceil(n / stride)
    places, another border floor((n + border - e) / stride) + 1.

    >>> places(28, 3), places(28, 3, stride=2, padding="same"), places(28, 5, padding=(2, 2))
    (26, 14, 28)
    """
    if padding == "same":
        return -(-n // stride)
    border = sum(padding) if isinstance(padding, tuple) else 0
    return (n + border - (window - 1) * dilation - 1) // stride + 1


def sizes(argument: str, value: Any, axes: int) -> tuple[int, ...]:
    """Return the size >= 1 along each axis; one number stands for all."""
    return _numbers(argument, value, axes, 1)


def border(argument: str, value: Any, axes: int) -> Pairs:
    """Return (before, after) of each axis.

    One number stands for every side; of two axes a number each for both sides, or a pair each; of
    one axis the pair itself.
    """
    if not isinstance(value, tuple | list):
        return (_numbers(argument, value, 2, 0),) * axes  # type: ignore[return-value]
    if axes == 1:
        value = (value,)
    if len(value) != axes:
        expected = "a number, (rows, columns) or ((top, bottom), (left, right))"
        raise check.wrong_value(argument, expected, tuple(value))
    return tuple(_numbers(argument, side, 2, 0) for side in value)  # type: ignore[misc]


def padding_words(argument: str, value: Any, axes: int) -> Padding:
    """Return "valid", "same" or the shortest form of a border."""
    if isinstance(value, str):
        return check.choice(argument, value, ("valid", "same"))
    return shortest_border(border(argument, value, axes))


def shortest(found: tuple[int, ...]) -> Sizes:
    """Return one number for equal ones."""
    return found[0] if len(set(found)) == 1 else found


def shortest_border(pairs: Pairs) -> Padding:
    """Return what `border` takes for these pairs, without what repeats."""
    if all(before == after for before, after in pairs):
        return shortest(tuple(before for before, _ in pairs))
    return pairs[0] if len(pairs) == 1 else pairs


def node_padding(value: Padding, axes: int) -> str | tuple[int, ...]:
    """Return a padding as a node has it: a word, or both sides of each axis in a row."""
    if isinstance(value, str):
        return value
    return tuple(n for pair in border("padding", value, axes) for n in pair)


def _numbers(argument: str, value: Any, count: int, least: int) -> tuple[int, ...]:
    listed = tuple(value) if isinstance(value, tuple | list) else (value,) * count
    if len(listed) != count:
        expected = "one number" if count == 1 else f"one number or {count}"
        raise check.wrong_value(argument, expected, listed)
    found = tuple(check.integer(argument, item, least) for item in listed)
    if max(found) > _LARGEST:
        raise check.wrong_value(argument, f"at most {_LARGEST}", max(found))
    return found
