"""A model that is a chain of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from fastnn import check, data
from fastnn.graph import Input, InputLayer, Layer, Value
from fastnn.layers import Activation, Dropout, Embedding, GaussianNoise, Rescaling
from fastnn.model import Model
from fastnn.network import Network, Setup

__all__ = ["Sequential"]

Array = NDArray[Any]

# Layers that leave it to the next one how many axes a row must have.
_ANY_RANK = (Activation, Dropout, GaussianNoise, Rescaling)


class Sequential(Model):
    """A chain of layers.

    Parameters
    ----------
    layers : list of Layer
        In order; the first may be a value of `Input`. An `Embedding` or `EmbeddingBag` at the
        front takes ids.
    input_shape : int or tuple of int, optional
        Shape of one row; taken from the first data when left out.
    name, backend, dtype, seed, convolution, precision
        As in `Model`.

    Examples
    --------
    >>> from fastnn.layers import Dense
    >>> model = Sequential([Dense(8, activation="relu"), Dense(1)], backend="numpy", seed=1)
    >>> history = model.compile("adam", "mse").fit([[0.0], [1.0]], [1.0, 2.0], epochs=200)
    >>> model.predict([[0.5]]).shape
    (1, 1)
    """

    kind: ClassVar[str] = "Sequential"

    def __init__(
        self,
        layers: Iterable[Layer | Value] = (),
        *,
        input_shape: int | tuple[int, ...] | None = None,
        name: str | None = None,
        backend: str = "core",
        dtype: str = "float32",
        seed: int | None = None,
        convolution: str = "auto",
        precision: str = "float32",
    ) -> None:
        self.configure(name, Setup(backend, dtype, seed, convolution, precision))
        self._chain: list[Layer] = []
        self._source: Value | None = None
        for layer in layers:
            self.add(layer)
        if input_shape is not None:
            self._source = Input(input_shape, dtype="int32" if self._takes_ids() else "float32")
        if self._source is not None and self._chain:
            self._finish(self._source)

    @property
    def network(self) -> Network:
        """The planned graph and its weights."""
        if not self.built and self._source is not None:
            self._finish(self._source)
        return super().network

    def add(self, layer: Layer | Value) -> None:
        """Append a layer; possible until the model is built."""
        if self.built:
            raise check.wrong_value("layer", "no more layers after the model is built", repr(layer))
        if isinstance(layer, Value) and isinstance(layer.layer, InputLayer) and not self._chain:
            self._source = layer
        elif isinstance(layer, Layer) and not isinstance(layer, InputLayer):
            self._chain.append(layer)
        else:
            raise check.wrong_type("layers", "layers, or an Input and layers", layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers in their order."""
        return list(self._chain)

    def _takes_ids(self) -> bool:
        return bool(self._chain) and self._chain[0].ids_below() is not None

    def _rank(self) -> int | None:
        """Return how many axes a row must have, if the layers say so: 3 for images."""
        for layer in self._chain:
            if layer.rank is not None or not isinstance(layer, _ANY_RANK):
                return layer.rank
        return None

    def _finish(self, source: Value, weights: Mapping[str, Array] | None = None) -> None:
        if not self._chain:
            raise check.wrong_value("layers", "at least one layer", "none")
        value = source
        for layer in self._chain:
            value = layer(value)
        self._build([source], [value], weights)

    def _prepare(self, x: Any) -> None:
        if self.built or self._source is not None:
            return
        shape = data.native("x", x)[0].shape[1:]
        ids = self._takes_ids()
        if len(shape) + 1 == self._rank():
            shape = (*shape, 1)
        spec = data.InputSpec("input", shape, 2**31 - 1 if ids else None)
        data.convert_inputs("x", x, [spec], self.dtype)  # bad rows must not decide on a shape
        if not shape and not (ids and isinstance(self._chain[0], Embedding)):
            shape = (1,)
        self._finish(Input(shape, dtype="int32" if ids else "float32"))

    def _output_labels(self) -> list[str]:
        return ["output"]

    def to_config(self) -> dict[str, Any]:
        """Return the chain as a dict that JSON can hold."""
        source = self.inputs[0] if self.built else self._source
        layers = {id(layer): layer for layer in self._chain}
        place = {key: i for i, key in enumerate(layers)}
        return {
            "built": self.built,
            "source": None if source is None else source.layer.to_config(),
            "layers": [layer.to_config() for layer in layers.values()],
            "chain": [place[id(layer)] for layer in self._chain],
        }

    def from_config(self, config: Mapping[str, Any], weights: Mapping[str, Array]) -> None:
        """Make the chain that `to_config` wrote; part of loading a model."""
        self._chain, self._source, self._network = [], None, None
        layers = [Layer.from_config(item) for item in config["layers"]]
        for place in config["chain"]:
            self.add(layers[check.integer("chain", place, 0, len(layers) - 1)])
        if config["source"] is not None:
            self._source = Value(InputLayer.from_config(config["source"]))
            if config["built"]:
                self._finish(self._source, weights)
