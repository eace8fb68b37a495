"""
The C++ core of fastnn; private, used through the Python modules.
"""

import collections.abc
import typing

import numpy
import numpy.typing

from . import kernels

__all__: list[str] = [
    "Engine",
    "Engine32",
    "Engine64",
    "activations",
    "default_threads",
    "epoch_order",
    "instruction_set",
    "instruction_sets",
    "kernels",
    "layer_kinds",
    "losses",
    "metrics",
    "optimizers",
    "random_normal",
    "random_uniform",
    "rank",
    "sampled_losses",
    "set_threads",
]

class Engine32:
    def __init__(
        self,
        nodes: list,
        outputs: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        convolution: str = "auto",
        precision: str = "float32",
    ) -> None: ...
    def compile(
        self,
        losses: list,
        loss_weights: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        optimizer: typing.Any,
        metrics: collections.abc.Sequence[collections.abc.Sequence[str]],
    ) -> None: ...
    def evaluate(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        targets: collections.abc.Sequence[numpy.ndarray],
        weights: numpy.ndarray | None,
        batch_size: typing.SupportsInt | typing.SupportsIndex = 0,
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> dict: ...
    def exclude_negatives(
        self,
        position: typing.SupportsInt | typing.SupportsIndex,
        indptr: numpy.ndarray,
        indices: numpy.ndarray,
    ) -> None: ...
    def get(self, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def gradients(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        targets: collections.abc.Sequence[numpy.ndarray],
        weights: numpy.ndarray | None,
    ) -> tuple[float, dict[str, numpy.typing.NDArray[numpy.float32]]]: ...
    def kept(self, name: str) -> bool: ...
    def norms(self, name: str) -> tuple[float, float]: ...
    def parameters(self) -> list[tuple[str, tuple]]: ...
    def predict(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        batch_size: typing.SupportsInt | typing.SupportsIndex = 0,
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> list[numpy.typing.NDArray[numpy.float32]]: ...
    def predict_ready(self, x: typing.Any) -> typing.Any: ...
    def set(self, name: str, array: numpy.ndarray) -> None: ...
    def set_rows(
        self, name: str, first: typing.SupportsInt | typing.SupportsIndex, array: numpy.ndarray
    ) -> None: ...
    def set_state(self, state: dict) -> None: ...
    def shapes(self) -> list[tuple]: ...
    def state(self) -> dict: ...
    def train(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        targets: collections.abc.Sequence[numpy.ndarray],
        weights: numpy.ndarray | None,
        batch_size: typing.SupportsInt | typing.SupportsIndex,
        shuffle: bool,
        seed: typing.SupportsInt | typing.SupportsIndex,
        epoch: typing.SupportsInt | typing.SupportsIndex,
        first_step: typing.SupportsInt | typing.SupportsIndex,
        rates: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
        poll: typing.Any = None,
    ) -> dict: ...

class Engine64:
    def __init__(
        self,
        nodes: list,
        outputs: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        convolution: str = "auto",
        precision: str = "float32",
    ) -> None: ...
    def compile(
        self,
        losses: list,
        loss_weights: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        optimizer: typing.Any,
        metrics: collections.abc.Sequence[collections.abc.Sequence[str]],
    ) -> None: ...
    def evaluate(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        targets: collections.abc.Sequence[numpy.ndarray],
        weights: numpy.ndarray | None,
        batch_size: typing.SupportsInt | typing.SupportsIndex = 0,
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> dict: ...
    def exclude_negatives(
        self,
        position: typing.SupportsInt | typing.SupportsIndex,
        indptr: numpy.ndarray,
        indices: numpy.ndarray,
    ) -> None: ...
    def get(self, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def gradients(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        targets: collections.abc.Sequence[numpy.ndarray],
        weights: numpy.ndarray | None,
    ) -> tuple[float, dict[str, numpy.typing.NDArray[numpy.float64]]]: ...
    def kept(self, name: str) -> bool: ...
    def norms(self, name: str) -> tuple[float, float]: ...
    def parameters(self) -> list[tuple[str, tuple]]: ...
    def predict(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        batch_size: typing.SupportsInt | typing.SupportsIndex = 0,
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> list[numpy.typing.NDArray[numpy.float64]]: ...
    def predict_ready(self, x: typing.Any) -> typing.Any: ...
    def set(self, name: str, array: numpy.ndarray) -> None: ...
    def set_rows(
        self, name: str, first: typing.SupportsInt | typing.SupportsIndex, array: numpy.ndarray
    ) -> None: ...
    def set_state(self, state: dict) -> None: ...
    def shapes(self) -> list[tuple]: ...
    def state(self) -> dict: ...
    def train(
        self,
        inputs: collections.abc.Sequence[numpy.ndarray],
        targets: collections.abc.Sequence[numpy.ndarray],
        weights: numpy.ndarray | None,
        batch_size: typing.SupportsInt | typing.SupportsIndex,
        shuffle: bool,
        seed: typing.SupportsInt | typing.SupportsIndex,
        epoch: typing.SupportsInt | typing.SupportsIndex,
        first_step: typing.SupportsInt | typing.SupportsIndex,
        rates: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
        poll: typing.Any = None,
    ) -> dict: ...

def Engine(
    nodes: typing.Any,
    outputs: typing.Any,
    dtype: str = "float32",
    convolution: str = "auto",
    precision: str = "float32",
) -> typing.Any: ...
def activations() -> list[str]: ...
def default_threads() -> int: ...
def epoch_order(
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.int32]: ...
def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def layer_kinds() -> list[str]: ...
def losses() -> list[str]: ...
def metrics() -> list[str]: ...
def optimizers() -> list[str]: ...
def random_normal(
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.typing.NDArray[numpy.float64]: ...
def random_uniform(
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
    first: typing.SupportsInt | typing.SupportsIndex = 0,
) -> numpy.typing.NDArray[numpy.float64]: ...
def rank(
    queries: numpy.ndarray,
    items: numpy.ndarray | None,
    k: typing.SupportsInt | typing.SupportsIndex,
    metric: str = "dot",
    biases: numpy.ndarray | None = None,
    exclude: tuple[numpy.ndarray, numpy.ndarray] | None = None,
    relevant: tuple[numpy.ndarray, numpy.ndarray] | None = None,
    threads: typing.SupportsInt | typing.SupportsIndex = 0,
    finite: bool = False,
) -> tuple[numpy.ndarray, numpy.ndarray, list[numpy.typing.NDArray[numpy.int64]]] | None: ...
def sampled_losses() -> list[str]: ...
def set_threads(threads: typing.SupportsInt | typing.SupportsIndex) -> None: ...

__version__: str = "0.1.0"
