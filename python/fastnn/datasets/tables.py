"""A table of numbers with a target, read from a file of comma-separated values."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import check

FEW = 10  # whole numbers as a target are classes where there are no more different ones


class Table(NamedTuple):
    """Rows of numbers and what is to be learnt about each."""

    X: NDArray[np.float64]
    y: NDArray[Any]
    columns: tuple[str, ...]
    classes: tuple[str, ...]


def read_csv(source: str | Path | io.TextIOBase, target: str | None = None) -> Table:
    r"""Read a file of comma-separated values whose first line names the columns.

    Parameters
    ----------
    source : path or open text file
        Parsed as text; nothing in it is ever run.
    target : str, optional
        The column to learn; the last one when left out. Words, and whole numbers of at most 10
        different values, are classes; other numbers are numbers.

    Returns
    -------
    Table
        ``X`` float64 (n, k): the columns of numbers but the target, named by ``columns``. ``y``
        int64 (n,), places in ``classes`` (sorted), or float64 (n,) with no ``classes``. Rows with
        an empty or non-finite number are left out, and so are columns of words.

    Raises
    ------
    ValueError
        If there is no such column, no column of numbers, or no whole row, or lines differ in
        length.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> text = "height,weight,kind\n1.0,2.0,cat\n3.0,4.0,dog\n2.0,,dog\n"
    >>> read_csv(io.StringIO(text))
    Table(X=array([[1., 2.],
           [3., 4.]]), y=array([0, 1]), columns=('height', 'weight'), classes=('cat', 'dog'))
    """
    if isinstance(source, io.TextIOBase):
        lines = _lines(source)
    else:
        with Path(source).open(newline="", encoding="utf-8-sig") as file:
            lines = _lines(file)
    names = [name.strip() for name in lines[0]]
    if target is None:
        target = names[-1]
    if target not in names:
        raise check.wrong_value("target", f"one of {', '.join(names)}", repr(target))
    cells = list(zip(*lines[1:], strict=True))
    numbers = {
        name: found
        for name, column in zip(names, cells, strict=True)
        if name != target and (found := _numbers(column)) is not None
    }
    if not numbers:
        raise check.wrong_value("source", "a column of numbers beside the target", "none")
    words = [cell.strip() for cell in cells[names.index(target)]]
    values = _numbers(words)
    X = np.column_stack(list(numbers.values()))
    whole = np.isfinite(X).all(axis=1) & np.array([word != "" for word in words])
    if values is not None:
        whole &= np.isfinite(values)
    if not whole.any():
        raise check.wrong_value("source", "a row without empty cells", f"{len(X)} others")
    y, classes = _target(values, words, whole)
    return Table(X[whole], y, tuple(numbers), classes)


def _lines(file: Any) -> list[list[str]]:
    """Return the cells of a file's lines, empty lines left out."""
    try:
        lines = [line for line in csv.reader(file, strict=True) if any(map(str.strip, line))]
    except (csv.Error, UnicodeDecodeError) as error:
        raise check.wrong_value("source", "comma-separated values", str(error)) from None
    if len(lines) < 2:
        raise check.wrong_value("source", "a line of names and lines of values", len(lines))
    width = len(lines[0])
    for number, line in enumerate(lines[1:], 2):
        if len(line) != width:
            raise check.wrong_value("source", f"{width} cells in line {number}", len(line))
    if len({name.strip() for name in lines[0]}) < width:
        raise check.wrong_value("source", "different names of columns", ", ".join(lines[0]))
    return lines


def _numbers(cells: Any) -> NDArray[np.float64] | None:
    """Return a column as numbers, NaN where it is empty; None for a column of words."""
    try:
        return np.array([float(cell) if cell.strip() else math.nan for cell in cells])
    except ValueError:
        return None


def _target(
    values: NDArray[np.float64] | None, words: list[str], whole: NDArray[np.bool_]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the target of the whole rows, and the names of classes if it has some."""
    if values is None:
        found, y = np.unique(np.array(words)[whole], return_inverse=True)
        return y.reshape(-1).astype(np.int64), tuple(found.tolist())
    kept = values[whole]
    found, y = np.unique(kept, return_inverse=True)
    if len(found) > FEW or (found != np.floor(found)).any():
        return kept, ()
    return y.reshape(-1).astype(np.int64), tuple(f"{value:g}" for value in found)
