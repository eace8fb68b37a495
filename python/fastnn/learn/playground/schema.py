"""What settings may be together: form, link, check and effect, all from the table of settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from fastnn import check
from fastnn.learn.playground.fields import Field
from fastnn.learn.playground.settings import FIELDS

Settings = dict[str, Any]

BY_NAME = {entry.name: entry for entry in FIELDS}
DEFAULTS: Settings = {entry.name: entry.checked(entry.default) for entry in FIELDS}
RUN = tuple(entry.name for entry in FIELDS if entry.effect == "run")
_EFFECTS = ("run", "live", "net", "data")


def changed(settings: Mapping[str, Any], changes: object) -> Settings:
    """Return the settings with some of them changed, each checked.

    Raises
    ------
    ValueError, TypeError
        With the name of the setting in front, before anything changes.
    """
    if not isinstance(changes, Mapping):
        raise check.wrong_type("settings", "an object of names and values", changes)
    found = dict(settings)
    for name, value in changes.items():
        check.choice("setting", name, BY_NAME)
        found[name] = BY_NAME[name].checked(value)
    words, depth = found["activations"], len(found["layers"])
    last = words[-1] if words else "relu"
    found["activations"] = [*words, *[last] * depth][:depth]
    return found


def effect(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the largest effect of what differs: data, net, live, run, or none."""
    effects = {entry.effect for name, entry in BY_NAME.items() if before[name] != after[name]}
    return max(effects, key=_EFFECTS.index, default="none")


def counts(entry: Field, settings: Mapping[str, Any]) -> bool:
    """Tell whether a setting plays a part beside these."""
    return all(settings[name] in values for name, values in entry.when.items())


def to_link(settings: Mapping[str, Any]) -> str:
    """Return the settings that differ from their defaults, as the part of a link after '#'."""
    parts = [
        f"{name}={quote(entry.written(settings[name]), safe=',*^()')}"
        for name, entry in BY_NAME.items()
        if settings[name] != DEFAULTS[name]
    ]
    return "&".join(parts)


def from_link(link: str) -> Settings:
    """Return the settings that a link holds, the others at their defaults."""
    changes = {}
    for part in filter(None, link.lstrip("#").split("&")):
        name, _, text = part.partition("=")
        check.choice("setting", name, BY_NAME)
        changes[name] = BY_NAME[name].read(unquote(text))
    return changed(DEFAULTS, changes)


def as_json() -> str:
    """Return what the page makes its form of."""
    return json.dumps([entry.described() for entry in FIELDS])
