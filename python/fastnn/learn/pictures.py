"""Pictures of lessons: drawn by matplotlib, described in words for those who cannot see them."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Of Okabe and Ito's palette: apart for every kind of colour vision, and in grey.
BLUE, ORANGE, GREY = "#0072b2", "#e69f00", "#666666"
COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#d55e00", GREY)


@dataclass(frozen=True)
class Picture:
    """A drawn figure and its description."""

    svg: bytes
    alt: str

    def _repr_html_(self) -> str:
        """Return the figure as an image, whose names cannot meet those of other figures."""
        data = base64.b64encode(self.svg).decode()
        style = "max-width: 100%; height: auto"
        source = f"data:image/svg+xml;base64,{data}"
        return f'<img src="{source}" alt="{html.escape(self.alt, quote=True)}" style="{style}">'


def figure(
    draw: Callable[..., object],
    alt: str,
    *,
    columns: int = 1,
    size: tuple[float, float] = (8.0, 3.6),
) -> Picture:
    """Draw a figure with matplotlib.

    Parameters
    ----------
    draw : callable
        Called with the axes, as many as there are columns.
    alt : str
        What the figure shows, in a sentence or two, with the numbers that matter.
    columns : int
        Axes side by side.
    size : pair of float
        Width and height in inches.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    try:
        import matplotlib as mpl
        from cycler import cycler
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("matplotlib: not found; pip install 'fastnn[tutorial]'") from error
    style: dict[Any, Any] = {
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 10,
        "svg.hashsalt": "fastnn",
    }
    with mpl.rc_context(style):
        drawn = Figure(figsize=size, layout="constrained")
        draw(*drawn.subplots(1, columns, squeeze=False)[0])
        file = io.BytesIO()
        drawn.savefig(file, format="svg", metadata={"Date": None})
    return Picture(file.getvalue(), alt)
