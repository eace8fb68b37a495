"""How a window walks over images or series: what convolution and pooling share."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastnn import check

Sizes = tuple[int, ...]


class Window(NamedTuple):
    """A window as the kernels take it; a series is an image with one row."""

    h: int
    w: int
    kh: int
    kw: int
    sh: int
    sw: int
    dh: int
    dw: int
    top: int
    left: int
    bottom: int
    right: int

    @property
    def places(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        high = self.h + self.top + self.bottom - (self.kh - 1) * self.dh - 1
        wide = self.w + self.left + self.right - (self.kw - 1) * self.dw - 1
        return high // self.sh + 1, wide // self.sw + 1


def plan(
    argument: str, image: Sizes, size: Sizes, stride: Any, padding: Any, dilation: Any = 1
) -> Window:
    """Return the window of `size`, an argument, on images (rows, columns) or series (length,)."""
    n_axes = len(image)
    strides = integers("stride", stride, n_axes, 1)
    dilations = integers("dilation", dilation, n_axes, 1)
    extent = tuple((k - 1) * d + 1 for k, d in zip(size, dilations, strict=True))
    before, after = _borders(image, extent, strides, padding)
    room = tuple(sum(sizes) for sizes in zip(image, before, after, strict=True))
    if any(e > n for e, n in zip(extent, room, strict=True)):
        raise check.wrong_value(argument, f"a window of at most {room}", extent)
    ones, zeros = (1,) * (2 - n_axes), (0,) * (2 - n_axes)
    sizes = [*ones, *image, *ones, *size, *ones, *strides, *ones, *dilations]
    return Window(*sizes, *zeros, *before, *zeros, *after)


def integers(argument: str, given: Any, count: int, minimum: int) -> Sizes:
    """Return `count` integers of at least `minimum`, from as many or from one for all."""
    sizes = tuple(given) if isinstance(given, tuple | list) else (given,) * count
    if len(sizes) != count:
        expected = "one integer" if count == 1 else f"one integer or {count}"
        raise check.wrong_value(argument, expected, len(sizes))
    return tuple(check.integer(argument, size, minimum, 2**31 - 1) for size in sizes)


def _borders(image: Sizes, extent: Sizes, strides: Sizes, padding: Any) -> tuple[Sizes, Sizes]:
    """Return the pixels before and after each axis."""
    if not isinstance(padding, str):
        both = integers("padding", padding, len(image), 0)
        return both, both
    if check.choice("padding", padding, ["valid", "same"]) == "valid":
        return (0,) * len(image), (0,) * len(image)
    axes = zip(image, extent, strides, strict=True)
    missing = [max((n - 1) // s * s + e - n, 0) for n, e, s in axes]
    return tuple(n // 2 for n in missing), tuple(n - n // 2 for n in missing)
