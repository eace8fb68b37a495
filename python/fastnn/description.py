"""What layers, losses and optimizers have in common: they describe, print and become JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from fastnn import check

D = TypeVar("D", bound="Description")


@dataclass(frozen=True, repr=False)
class Description:
    """A frozen record of settings; it holds no arrays and does no work."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._changed())
        return f"{type(self).__name__}({shown})"

    def _changed(self) -> Iterator[tuple[str, Any]]:
        for item in sorted(fields(self), key=lambda item: bool(item.kw_only)):
            value = getattr(self, item.name)
            if item.default is MISSING or value != item.default:
                yield item.name, value

    def _set(self, **settings: object) -> None:
        """Replace settings by their checked form; for use in `__post_init__` only."""
        for name, value in settings.items():
            object.__setattr__(self, name, value)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as a dict that JSON can hold; `from_config` turns it back."""
        config: dict[str, Any] = {"type": type(self).__name__}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Description):
                value = value.to_config()
            config[item.name] = list(value) if isinstance(value, tuple) else value
        return config

    @classmethod
    def from_config(cls: type[D], config: Mapping[str, Any]) -> D:
        """Return the description that `to_config` wrote; anything else raises ValueError."""
        if not isinstance(config, Mapping):
            raise check.wrong_value("config", "a mapping", type(config).__name__)
        names = {kind.__name__: kind for kind in _kinds(cls)}
        kind = names[check.choice("type", config.get("type"), names)]
        known = {item.name for item in fields(kind)}
        settings = {name: value for name, value in config.items() if name != "type"}
        if unknown := sorted(set(settings) - known):
            expected = f"settings of {kind.__name__} ({', '.join(sorted(known))})"
            raise check.wrong_value("config", expected, ", ".join(unknown))
        for name, value in settings.items():
            if isinstance(value, Mapping):
                settings[name] = Description.from_config(value)
            elif isinstance(value, list):
                settings[name] = tuple(value)
        try:
            return kind(**settings)
        except TypeError as error:
            raise ValueError(f"config: {error}") from None


def _kinds(kind: type[D]) -> Iterator[type[D]]:
    if not kind.__name__.startswith("_"):
        yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
