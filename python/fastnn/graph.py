"""The graph an engine takes: nodes in the order of evaluation, and specs of losses and optimizers.

A description (layers/) is lowered to nodes by `lower`; `docs/design.md` lists every kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, ClassVar

from numpy.typing import NDArray

from fastnn import check
from fastnn.description import Description
from fastnn.initializers import Initializer

Setting = float | int | str | tuple[int, ...]
Operation = tuple[str, Mapping[str, Setting]]


@dataclass(frozen=True)
class Spec:
    """A loss or an optimizer as an engine takes it: its kind and settings."""

    kind: str
    config: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """One operation of a graph; `inputs` are positions of earlier nodes."""

    kind: str
    name: str
    inputs: tuple[int, ...] = ()
    config: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Value:
    """What a layer puts out: symbolic, one row per example, compared by identity."""

    layer: Layer
    inputs: tuple[Value, ...] = ()

    def __repr__(self) -> str:
        return f"<value of {self.layer!r}>"


@dataclass(frozen=True, repr=False)
class Layer(Description):
    """Base of the layers."""

    _: KW_ONLY
    name: str | None = None

    arity: ClassVar[tuple[int, float]] = (1, 1)
    rank: ClassVar[int | None] = None
    """How many axes a row has that this layer takes; None if it takes any."""

    def __post_init__(self) -> None:
        check.name("name", self.name)

    def __call__(self, *inputs: Value | list[Value] | tuple[Value, ...]) -> Value:
        """Return the value of this layer for one value, or for several (also as a list)."""
        values: list[Value] = []
        for item in inputs:
            values.extend(item if isinstance(item, list | tuple) else (item,))
        for value in values:
            if not isinstance(value, Value):
                raise check.wrong_type("inputs", "values made by Input or a layer", value)
        least, most = self.arity
        if not least <= len(values) <= most:
            counts = f"{least}" if least == most else f"{least} or more"
            expected = f"{counts} value{'s' if least > 1 else ''} for {type(self).__name__}"
            raise check.wrong_value("inputs", expected, len(values))
        return Value(self, tuple(values))

    @classmethod
    def stem(cls) -> str:
        """Return the kind of this layer, which is also the stem of its automatic name."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def operations(self) -> Iterator[Operation]:
        """Yield the kinds and settings of the nodes this layer becomes, in a row.

        One node that has the layer's stem and its settings, where a layer does not say otherwise.
        """
        names = (item.name for item in fields(self) if item.name != "name")
        yield self.stem(), {name: getattr(self, name) for name in names}

    def shares(self) -> bool:
        """Whether the values of several calls of this layer share its weights."""
        return False

    def initializers(self) -> dict[str, Initializer]:
        """Return the initializer of each parameter, by name."""
        return {}

    def penalties(self) -> dict[str, tuple[float, float]]:
        """Return the factors (l1, l2) of each parameter that has some, by name."""
        return {}

    def fixed(self) -> tuple[str, ...]:
        """Return the parameters that no optimizer touches, by name."""
        return ()

    def check_weight(self, key: str, label: str, array: NDArray[Any]) -> None:
        """Refuse values that a parameter cannot have."""

    def ids_below(self) -> int | None:
        """Return the exclusive upper bound of the ids this layer takes, None if it takes none."""
        return None


@dataclass(frozen=True, repr=False)
class InputLayer(Layer):
    """What `Input` makes: the rows of one array that the caller gives."""

    shape: tuple[int, ...]
    _: KW_ONLY
    dtype: str = "float32"
    vocabulary: int | None = None

    arity: ClassVar[tuple[int, float]] = (0, 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(shape=check.shape("shape", self.shape))
        check.choice("dtype", self.dtype, ("float32", "int32"))
        if self.dtype == "float32" and not self.shape:
            raise check.wrong_value("shape", "at least one axis for dtype float32", "()")
        if self.vocabulary is not None:
            if self.dtype == "float32":
                raise check.wrong_value("vocabulary", "None for dtype float32", "a number")
            size = check.integer("vocabulary", self.vocabulary, 1)
            self._set(vocabulary=size)

    @classmethod
    def stem(cls) -> str:
        """Return the kind of this layer."""
        return "input"

    def operations(self) -> Iterator[Operation]:
        """Yield the input node; `graph.lower` adds a vocabulary that is not given."""
        config: dict[str, Setting] = {"shape": self.shape, "dtype": "float"}
        if self.dtype == "int32":
            config["dtype"] = "ids"
        if self.vocabulary is not None:
            config["vocabulary"] = self.vocabulary
        yield "input", config


def Input(  # noqa: N802
    shape: int | tuple[int, ...] = (),
    *,
    dtype: str = "float32",
    vocabulary: int | None = None,
    name: str | None = None,
) -> Value:
    """Return the value that stands for one array given to a model.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of one row, without the batch axis. Ids may have shape ``()``: one id per row.
    dtype : {"float32", "int32"}
        "float32" for numbers (a model of dtype float64 takes them as float64), "int32" for ids.
    vocabulary : int, optional
        Ids lie in [0, vocabulary). Taken from the table the ids enter when left out.
    name : str, optional
        Name of the input, used in messages and as the key when arrays are given in a dict.

    Examples
    --------
    >>> Input((4,), name="table")
    <value of InputLayer(shape=(4,), name='table')>
    """
    return Value(InputLayer(shape, dtype=dtype, vocabulary=vocabulary, name=name))  # type: ignore[arg-type]


def lower(inputs: Sequence[Value], outputs: Sequence[Value]) -> tuple[list[Node], list[int]]:
    """Return the nodes that compute `outputs` from `inputs`, and the positions of the outputs.

    The first nodes are the inputs in their order; a layer that needs several nodes has them in a
    row, the first under the layer's own name.
    """
    nodes: list[Node] = []
    position: dict[Value, int] = {}
    names = trace(inputs, outputs)
    owners: dict[int, str] = {}
    for name, value in names.items():
        sources = tuple(position[source] for source in value.inputs)
        owner = owners.setdefault(id(value.layer), name)
        for index, (kind, config) in enumerate(value.layer.operations()):
            settings = dict(config)
            if owner != name and value.layer.shares():
                settings = {key: item for key, item in config.items() if key != "file"}
                settings["table"] = owner
            if settings.get("dtype") == "ids" and "vocabulary" not in settings:
                settings["vocabulary"] = _vocabulary(name, value, names)
            own = f"{name}/{kind}" if index else name
            nodes.append(Node(kind, own, sources, settings))
            sources = (len(nodes) - 1,)
        position[value] = len(nodes) - 1
    return nodes, [position[value] for value in outputs]


def trace(inputs: Sequence[Value], outputs: Sequence[Value]) -> dict[str, Value]:
    """Return every value from `inputs` to `outputs` in the order of evaluation, by unique name."""
    values = _ordered(inputs, outputs)
    given = {value.layer.name for value in values}
    names: dict[str, Value] = {}
    calls: dict[int, str] = {}
    counts: dict[str, int] = {}
    for value in values:
        layer = value.layer
        again = id(layer) in calls
        if again and layer.initializers() and not layer.shares():
            raise check.wrong_value(
                calls[id(layer)],
                "one call of a layer with weights",
                "two",
                "make a layer for each use; only Embedding and EmbeddingBag share their table",
            )
        name = layer.name or layer.stem()
        if layer.name is not None and not again:
            if name in names:
                raise check.wrong_value("name", "a name for each layer", f"{name!r} twice")
        else:
            stem = name
            while name in names or name in given:
                counts[stem] = counts.get(stem, 0) + 1
                name = f"{stem}_{counts[stem]}"
        calls.setdefault(id(layer), name)
        names[name] = value
    return names


def _ordered(inputs: Sequence[Value], outputs: Sequence[Value]) -> list[Value]:
    """Return inputs, then all that the outputs need, sources before users."""
    done = dict.fromkeys(inputs)
    stack = [(value, False) for value in reversed(outputs)]
    used = set()
    while stack:
        value, ready = stack.pop()
        used.add(value)
        if value in done:
            continue
        if not value.inputs:
            raise check.wrong_value(
                "inputs", "every Input that the outputs use", f"a list without {value.layer!r}"
            )
        if ready:
            done[value] = None
        else:
            stack.append((value, True))
            stack.extend((source, False) for source in reversed(value.inputs))
    for value in inputs:
        if value not in used:
            raise check.wrong_value("inputs", "inputs that the outputs use", f"{value.layer!r}")
    return list(done)


def _vocabulary(name: str, ids: Value, names: Mapping[str, Value]) -> int:
    """Return the rows of the smallest table that `ids` enters."""
    sizes = [value.layer.ids_below() for value in names.values() if ids in value.inputs]
    known = [size for size in sizes if size is not None]
    if not known:
        raise check.wrong_value(
            "inputs", f"{name!r} (int32) to enter an Embedding or EmbeddingBag", "no table"
        )
    return min(known)
