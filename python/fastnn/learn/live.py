"""A live picture of training in a notebook: the playground's drawing modules as an anywidget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

try:
    import anywidget
    import traitlets
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'LiveView: expected anywidget to be installed; pip install "fastnn[tutorial]"'
    ) from error

from fastnn import check
from fastnn.learn.playground import schema
from fastnn.learn.playground.trainer import Trainer

PARTS = ("boundary", "loss", "ladder", "network")
MODULES = ("draw", "show", "widget")


def module() -> str:
    """Return the page's modules that draw as a single one: a notebook loads no more."""
    static = files("fastnn.learn.playground").joinpath("static")
    texts = [static.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    lines = "\n".join(texts).splitlines()
    return "\n".join(line for line in lines if not line.startswith("import "))


class LiveView(anywidget.AnyWidget):
    """Trains a network on points of a plane, and shows it while it learns.

    Parameters
    ----------
    settings : dict, optional
        Settings of the playground by name, such as ``{"data": "spiral", "layers": [8, 8]}``; the
        others have their defaults.
    show : sequence of {"boundary", "loss", "ladder", "network"}
        What is drawn: the boundary with the points, the losses, the gradient of each layer, the
        units with their weights.
    running : bool
        Whether training begins at once.

    Raises
    ------
    ValueError, TypeError
        For a wrong setting or an unknown picture.

    Examples
    --------
    >>> view = LiveView({"data": "circles", "layers": [4]}, show=["boundary"])
    >>> view.set({"learning_rate": 0.1})
    >>> view.close()
    """

    _esm = module()
    _trainer: Trainer | None = None
    data = traitlets.Dict().tag(sync=True)
    show: traitlets.List[str] = traitlets.List().tag(sync=True)

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        show: Sequence[str] = ("boundary", "loss"),
        running: bool = False,
    ) -> None:
        for part in show:
            check.choice("show", part, PARTS)
        self._trainer = Trainer(schema.changed(schema.DEFAULTS, settings or {}))
        self.trainer.start()
        super().__init__(data=self.trainer.data(), show=list(show))
        self.on_msg(self._answer)
        if running:
            self.trainer.run(True)

    @property
    def trainer(self) -> Trainer:
        """What trains the network shown."""
        assert self._trainer is not None
        return self._trainer

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change settings while training goes on; a new network or data set starts again."""
        self.trainer.set(changes)
        self._follow()

    def close(self) -> None:
        """Stop training and remove the picture."""
        if self._trainer is not None:  # a view that was refused is closed, too
            self._trainer.close()
        super().close()

    def _follow(self) -> None:
        """Send the points anew where they have changed."""
        if self.trainer.data_version() != self.data["version"]:
            self.data = self.trainer.data()

    def _answer(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        """Do what the browser asks for."""
        kind = content.get("type")
        if kind == "frame":
            given = {name: content[name] for name in ("since", "side", "edges") if name in content}
            frame = self.trainer.frame(content.get("views", ()), **given)
            self.send({"type": "frame"}, buffers=[frame])
        elif kind == "run":
            self.trainer.run(bool(content.get("running")))
        elif kind == "step":
            self.trainer.step(int(content.get("n", 1)))
        elif kind == "reset":
            self.trainer.reset()
