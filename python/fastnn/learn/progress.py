"""What a learner has done: the exercises answered rightly, in a small file of the user's state."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

EXERCISES = 2  # of a lesson; it is ticked when all are right


def path() -> Path:
    """Return the file's place: in $XDG_STATE_HOME, or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME")
    folder = Path(state) if state else Path.home() / ".local" / "state"
    return folder / "fastnn" / "lessons.json"


def right() -> set[str]:
    """Return the names of the exercises answered rightly; a file that is no such list has none."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    names = found.get("right") if isinstance(found, dict) else None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def done() -> set[int]:
    """Return the numbers of the lessons whose exercises are all right."""
    lessons = [name.split(".")[0] for name in right()]
    return {int(n) for n in lessons if n.isdecimal() and lessons.count(n) >= EXERCISES}


def record(name: str) -> str:
    """Note that an exercise was answered rightly.

    Parameters
    ----------
    name : str
        Of the exercise: "1.2".

    Returns
    -------
    str
        Empty, or why it could not be noted: an answer stays right on a disk that is full.
    """
    names = right()
    if name in names:
        return ""
    try:
        _write(json.dumps({"version": 1, "right": sorted(names | {name})}))
    except OSError as error:
        return f"(not noted: {error})"
    return ""


def _write(text: str) -> None:
    """Replace the file as a whole, so that no reader meets half of it."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=place.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
