"""Models: a graph of layers with weights, and how they are trained and used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import callbacks as watchers
from fastnn import check, data, graph, losses, optimizers, saving, summary, threads, training
from fastnn.callbacks import Callback, History
from fastnn.data import Examples, InputSpec, TargetSpec
from fastnn.graph import InputLayer, Layer, Value
from fastnn.losses import Loss
from fastnn.optimizers import Optimizer
from fastnn.training import Pace

__all__ = ["Model"]

Array = NDArray[Any]


class Model:
    """A graph from inputs to outputs, with weights.

    Parameters
    ----------
    inputs : Value or list of Value
        What `Input` made.
    outputs : Value or list of Value
        What layers made of the inputs.
    name : str, optional
        Shown by `summary`.
    backend : {"core", "numpy"}
        "core" is the C++ engine, "numpy" the readable and slow reference; same results.
    dtype : {"float32", "float64"}
        Of weights and of all computing.
    seed : int, optional
        In [0, 2**64). Fixes the initial weights, the order of examples, dropout and noise; drawn
        from the system when left out.

    Notes
    -----
    Each model holds its own weights, also when two are made of the same values: an encoder cut out
    of an autoencoder takes its weights by ``encoder.set_weights(...)``.

    Examples
    --------
    >>> from fastnn import Input, layers
    >>> x = Input((4,))
    >>> model = Model(x, layers.Dense(1)(x), backend="numpy", seed=0)
    >>> model.predict(np.zeros((2, 4)))
    array([[0.],
           [0.]], dtype=float32)
    """

    def __init__(
        self,
        inputs: Value | Sequence[Value],
        outputs: Value | Sequence[Value],
        *,
        name: str | None = None,
        backend: str = "core",
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        self.configure(name, backend, dtype, seed)
        self._build(inputs, outputs)

    def configure(self, name: str | None, backend: str, dtype: str, seed: int | None) -> None:
        """Check and keep the settings; part of making a model."""
        self.name = check.name("name", name) or type(self).__name__.lower()
        self.backend = check.choice("backend", backend, ("core", "numpy"))
        self.dtype = check.choice("dtype", dtype, ("float32", "float64"))
        drawn = int.from_bytes(os.urandom(8), "little") if seed is None else seed
        self.seed = check.integer("seed", drawn, 0, 2**64 - 1)
        self.optimizer: Optimizer | None = None
        self.losses: list[Loss] = []
        self.loss_weights: list[float] = []
        self.metrics: list[list[str]] = []
        self.progress = training.Progress()
        self.history: History | None = None
        self.stop_training = False
        self._turn = training.Turn()
        self._examples: Examples | None = None
        self._engine: Any = None

    def _build(
        self,
        inputs: Value | Sequence[Value],
        outputs: Value | Sequence[Value],
        weights: Mapping[str, Array] | None = None,
    ) -> None:
        """Plan the graph, and draw the initial weights unless they are given."""
        self.inputs, self.outputs = _values("inputs", inputs), _values("outputs", outputs)
        for value in self.inputs:
            if not isinstance(value.layer, InputLayer):
                raise check.wrong_type("inputs", "values made by Input", repr(value))
        self.values = graph.trace(self.inputs, self.outputs)
        nodes, positions = graph.lower(self.inputs, self.outputs)
        make_engine, _, _ = _backend(self.backend)
        engine = make_engine(nodes, positions, self.dtype)
        shapes = [tuple(shape) for shape in engine.shapes()]
        self._node_shapes = dict(zip([node.name for node in nodes], shapes, strict=True))
        self._input_specs = [
            InputSpec(nodes[i].name, shapes[i], nodes[i].config.get("vocabulary"))  # type: ignore[arg-type]
            for i in range(len(self.inputs))
        ]
        names = {value: name for name, value in self.values.items()}
        self.output_names = [names[value] for value in self.outputs]
        self._output_shapes = [shapes[position] for position in positions]
        self._engine = engine
        if weights is None:
            self._draw_weights()
        else:
            self.set_weights([weights[name] for name, _ in engine.parameters()])
        if self.optimizer is not None:
            self._compile_engine()

    def _draw_weights(self) -> None:
        _, uniform, normal = _backend(self.backend)
        for stream, (name, shape) in enumerate(self.parameters()):
            owner, key = name.rsplit("/", 1)
            initializer = self.values[owner].layer.initializers()[key]
            draws = partial(uniform, self.seed, stream), partial(normal, self.seed, stream)
            self._engine.set(name, np.asarray(initializer.values(shape, *draws), self.dtype))

    def _prepare(self, x: Any) -> None:
        """Get ready for the rows x; a Sequential without a shape is built here."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} with {len(self.layers)} layers>"

    @property
    def engine(self) -> Any:
        """What runs the model (`docs/design.md`, section 3)."""
        if self._engine is None:
            remedy = "give input_shape, or call fit first"
            raise check.wrong_value("input_shape", "a known shape of a row", "None", remedy)
        return self._engine

    @property
    def built(self) -> bool:
        """Whether shapes are known and weights exist; not so for a Sequential without a shape."""
        return self._engine is not None

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order of evaluation, inputs left out."""
        self.engine  # noqa: B018
        return [value.layer for value in self.values.values() if value.inputs]

    def compile(
        self,
        optimizer: str | Optimizer = "adam",
        loss: Any = None,
        *,
        loss_weights: Any = None,
        metrics: Any = None,
    ) -> Model:
        """Say how to train; forgets the optimizer's state, keeps the weights.

        Parameters
        ----------
        optimizer : str or Optimizer
            "sgd", "adagrad", "rmsprop", "adam", "adamw" or an instance.
        loss : str or Loss, or a list or dict of them
            One per output; a dict goes by the outputs' names.
        loss_weights : list or dict of float, optional
            Factors >= 0 of the losses in their sum; 1 when left out.
        metrics : list of str, optional
            "accuracy", "mse", "mae"; with several outputs a list of lists, or a dict by name.

        Returns
        -------
        Model
            The model itself.
        """
        names = self._output_labels()
        chosen = optimizers.get("optimizer", optimizer)
        found = [losses.get(label, item) for label, item in _per_output("loss", loss, names)]
        factors = [1.0] * len(names)
        if loss_weights is not None:
            given = _per_output("loss_weights", loss_weights, names)
            factors = [check.number(label, item, 0) for label, item in given]
        wanted: list[list[str]] = [[] for _ in names]
        if metrics is not None:
            single = len(names) == 1 and not isinstance(metrics, Mapping)
            given = [("metrics", metrics)] if single else _per_output("metrics", metrics, names)
            wanted = [[losses.metric(label, m) for m in _listed(items)] for label, items in given]
        with self._turn.taken():
            before = self.optimizer, self.losses, self.loss_weights, self.metrics
            self.optimizer, self.losses = chosen, found
            self.loss_weights, self.metrics = factors, wanted
            if self._engine is not None:
                try:
                    self._compile_engine()
                except ValueError:
                    self.optimizer, self.losses, self.loss_weights, self.metrics = before
                    raise
            self.progress = training.Progress()
        return self

    def _compile_engine(self) -> None:
        assert self.optimizer is not None
        specs = [loss.spec() for loss in self.losses]
        self._engine.compile(specs, self.loss_weights, self.optimizer.spec(), self.metrics)

    def _output_labels(self) -> list[str]:
        return self.output_names

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        batch_size: int = 32,
        epochs: int = 1,
        sample_weight: Any = None,
        class_weight: Mapping[Any, float] | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        callbacks: Callback | Sequence[Callback] = (),
        verbose: int = 0,
        n_jobs: int | None = None,
    ) -> History:
        """Train for some epochs, from where training stands.

        Parameters
        ----------
        x : array-like, or a list or dict of them
            One per input: (n, ...) numbers, or ids of an integer dtype. Tables of pandas, polars
            and pyarrow will do.
        y : array-like, or a list or dict of them
            One per output: numbers shaped as the output, or integer labels (n,) for
            `CategoricalCrossentropy`.
        batch_size : int
            Examples per step; larger is faster per epoch and takes fewer, smoother steps.
        epochs : int
            Passes over the examples.
        sample_weight : array-like (n,), optional
            Weights >= 0 of the examples.
        class_weight : dict, optional
            Weight of each label; 1 for those left out.
        validation_data : tuple, optional
            (x, y) or (x, y, sample_weight), evaluated after each epoch.
        validation_split : float
            Share in [0, 1) of the last examples that is kept for validation instead.
        shuffle : bool
            Whether each epoch has an order of its own.
        callbacks : Callback or list of Callback
            Told of every epoch.
        verbose : {0, 1}
            1 shows a progress bar.
        n_jobs : int, optional
            Threads; None is the default of `set_num_threads`, -1 all. Results do not depend on it.

        Returns
        -------
        History
            Also kept as ``model.history``.

        Raises
        ------
        ValueError, TypeError
            For bad input, before any work; or when the loss is not finite any more, with the
            weights of the step before.
        KeyboardInterrupt
            After Ctrl-C; the model is usable and has the weights of its last whole step.
        """
        epochs = check.integer("epochs", epochs, 1)
        share = check.number("validation_split", validation_split, 0, 1, below=True)
        watching = watchers.checked(callbacks)
        if check.integer("verbose", verbose, 0, 1):
            watching.append(watchers.ProgressBar())
        with self._turn.taken():
            examples = self._convert(x, y, sample_weight)
            pace = self._pace(len(examples), batch_size, shuffle, n_jobs)
            validation = None
            if validation_data is not None:
                if share:
                    raise check.wrong_value("validation_split", "0 beside validation_data", share)
                validation = self._convert_validation(validation_data)
            elif share:
                examples, validation = _split(examples, share)
            examples = training.with_class_weight(examples, class_weight, self.dtype)
            return training.fit(self, examples, validation, pace, epochs, watching)

    def train_steps(
        self,
        n: int,
        x: Any = None,
        y: Any = None,
        *,
        batch_size: int = 32,
        sample_weight: Any = None,
        shuffle: bool = True,
        total_steps: int | None = None,
        n_jobs: int | None = None,
    ) -> dict[str, float]:
        """Train for n steps, from where training stands, through as many epochs as that takes.

        Parameters
        ----------
        n : int
            Steps, >= 1.
        x, y, sample_weight : array-like
            As in `fit`; left out, those of the last call (which are held on to, not copied).
        batch_size, shuffle, n_jobs
            As in `fit`.
        total_steps : int, optional
            For a schedule that spans a whole fit: its length.

        Returns
        -------
        dict
            Means over these steps: loss and metrics; ``epoch`` and ``step`` (in all) reached.
        """
        n = check.integer("n", n, 1)
        total = None if total_steps is None else check.integer("total_steps", total_steps, 1)
        with self._turn.taken():
            if x is not None:
                self._examples = self._convert(x, y, sample_weight)
            if self._examples is None:
                raise check.wrong_type("x", "an array in the first call", "None")
            pace = self._pace(len(self._examples), batch_size, shuffle, n_jobs)
            result = training.steps(self, self._examples, pace, n, total)
        reached = {"epoch": float(self.progress.epoch), "step": float(self.progress.step)}
        return {**self.name_results(result), **reached}

    def evaluate(
        self,
        x: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        batch_size: int = 1024,
        n_jobs: int | None = None,
    ) -> dict[str, float]:
        """Return the loss and the metrics of examples, by name; dropout and noise are off."""
        examples = self._convert(x, y, sample_weight)
        return self.evaluate_examples(
            examples, self._pace(len(examples), batch_size, False, n_jobs)
        )

    def evaluate_examples(self, examples: Examples, pace: Pace) -> dict[str, float]:
        """Evaluate examples that are converted already."""
        result = self.engine.evaluate(
            examples.inputs, examples.targets, examples.weights, pace.batch_size, pace.threads
        )
        return self.name_results(result)

    def name_results(self, result: Mapping[str, Any]) -> dict[str, float]:
        """Return what an engine found, by the names that logs have."""
        logs = {"loss": float(result["loss"])}
        several = len(self.output_names) > 1
        if several and "losses" in result:
            pairs = zip(self.output_names, result["losses"], strict=True)
            logs.update({f"{name}_loss": float(value) for name, value in pairs})
        for name, metrics, values in zip(
            self.output_names, self.metrics, result["metrics"], strict=True
        ):
            for metric, value in zip(metrics, values, strict=True):
                logs[f"{name}_{metric}" if several else metric] = float(value)
        return logs

    def predict(self, x: Any, *, batch_size: int = 1024, n_jobs: int | None = None) -> Any:
        """Return the output (n, ...) for every row of x, or a list of them for several outputs.

        Parameters
        ----------
        x : array-like, or a list or dict of them
            As in `fit`.
        batch_size : int
            Rows at a time; larger needs more memory. Results do not depend on it.
        n_jobs : int, optional
            As in `fit`.
        """
        self._prepare(x)
        inputs = data.convert_inputs("x", x, self._input_specs, self.dtype)
        pace = self._pace(len(inputs[0]), batch_size, False, n_jobs)
        found = self.engine.predict(inputs, pace.batch_size, pace.threads)
        return found[0] if len(found) == 1 else list(found)

    def parameters(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return name and shape of every parameter, in the order of `get_weights`."""
        return [(name, tuple(shape)) for name, shape in self.engine.parameters()]

    def get_weights(self) -> list[Array]:
        """Return copies of all weights, in the order of `parameters`."""
        return [self.engine.get(name) for name, _ in self.parameters()]

    def set_weights(self, weights: Sequence[Any] | Mapping[str, Any]) -> None:
        """Replace all weights by a list in the order of `parameters`, or some by a dict of names."""
        shapes = dict(self.parameters())
        if not isinstance(weights, Mapping):
            if len(weights) != len(shapes):
                raise check.wrong_value("weights", f"{len(shapes)} arrays", len(weights))
            weights = dict(zip(shapes, weights, strict=True))
        arrays = {}
        for name, given in weights.items():
            check.choice("weights", name, shapes)
            array, _ = data.native(f"weights[{name!r}]", given)
            if array.shape != shapes[name]:
                expected = f"shape {shapes[name]}"
                raise check.wrong_value(f"weights[{name!r}]", expected, array.shape)
            arrays[name] = data.convert_floats(
                f"weights[{name!r}]", array, shapes[name][1:], self.dtype
            )
        with self._turn.taken():
            for name, array in arrays.items():
                self.engine.set(name, array)

    def count_params(self) -> int:
        """Return the number of weights."""
        return sum(int(np.prod(shape)) for _, shape in self.parameters())

    def penalty(self) -> float:
        """Return the sum of the weights' penalties, l1 * sum(abs(w)) + l2 * sum(w ** 2)."""
        total = 0.0
        for name, value in self.values.items():
            for key, (l1, l2) in value.layer.penalties().items():
                w = self.engine.get(f"{name}/{key}")
                total += l1 * float(np.abs(w).sum(dtype=np.float64))
                total += l2 * float(np.square(w).sum(dtype=np.float64))
        return total

    def row_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one row that the layer of that name puts out."""
        self.engine  # noqa: B018
        check.choice("name", name, self.values)
        return [s for node, s in self._node_shapes.items() if node.split("/")[0] == name][-1]

    def summary(self) -> str:
        """Return a table of layers, row shapes, parameters and bytes, to be printed."""
        return summary.table(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model and the state of its training to one file; `load` reads it.

        Training goes on after `load` as if it had never stopped, bit for bit.
        """
        from fastnn import files

        files.write(path, *saving.describe(self))

    def to_config(self) -> dict[str, Any]:
        """Return the graph as a dict that JSON can hold."""
        return saving.graph_config(self.inputs, self.outputs, list(self.values.values()))

    def from_config(self, config: Mapping[str, Any], weights: Mapping[str, Array]) -> None:
        """Build what `to_config` wrote; part of loading a model."""
        self._build(*saving.graph_from_config(config), weights)

    def __getstate__(self) -> bytes:
        from fastnn import files

        return files.to_bytes(*saving.describe(self))

    def __setstate__(self, state: bytes) -> None:
        from fastnn import files

        saving.restore(self, *files.from_bytes(state))

    def _convert(self, x: Any, y: Any, sample_weight: Any, at: str = "{}") -> Examples:
        if self.optimizer is None:
            raise check.wrong_value("model", "a call of compile with a loss first", "none")
        self._prepare(x)
        inputs = data.convert_inputs(at.format("x"), x, self._input_specs, self.dtype)
        specs = [
            TargetSpec(name, shape, loss.targets)
            for name, shape, loss in zip(
                self.output_names, self._output_shapes, self.losses, strict=True
            )
        ]
        n = len(inputs[0])
        targets = data.convert_targets(at.format("y"), y, specs, self.dtype, n)
        weights = data.convert_weights(at.format("sample_weight"), sample_weight, n, self.dtype)
        return Examples(inputs, targets, weights)

    def _convert_validation(self, given: Any) -> Examples:
        if not isinstance(given, tuple | list) or len(given) not in {2, 3}:
            raise check.wrong_type("validation_data", "(x, y) or (x, y, sample_weight)", given)
        x, y, weights = (*given, None)[:3]
        return self._convert(x, y, weights, "validation_data {}")

    def _pace(self, n: int, batch_size: int, shuffle: bool, n_jobs: int | None) -> Pace:
        size = min(check.integer("batch_size", batch_size, 1), n)
        return Pace(size, check.flag("shuffle", shuffle), threads.resolve(n_jobs))


def _backend(name: str) -> tuple[Any, Any, Any]:
    """Return an engine's class and its sources of uniform and of normal numbers."""
    if name == "numpy":
        from fastnn.reference import Engine, rng

        return Engine, rng.uniform, rng.normal
    from fastnn import _core

    return _core.Engine, _core.random_uniform, _core.random_normal


def _values(argument: str, given: Value | Sequence[Value]) -> list[Value]:
    values: list[Any] = list(given) if isinstance(given, list | tuple) else [given]
    for value in values:
        if not isinstance(value, Value):
            raise check.wrong_type(argument, "values made by Input or a layer", value)
    if not values or len(set(values)) < len(values):
        got = "one twice" if values else "none"
        raise check.wrong_value(argument, "one or more different values", got)
    return values


def _per_output(argument: str, given: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    """Return (label for messages, setting) for each output."""
    if isinstance(given, Mapping):
        if sorted(given) != sorted(names):
            expected = "the names of the outputs, " + ", ".join(names)
            raise check.wrong_value(argument, expected, ", ".join(map(str, given)) or "none")
        return [(f"{argument}[{name!r}]", given[name]) for name in names]
    items = list(given) if isinstance(given, list | tuple) else [given] * 1
    if len(items) != len(names):
        raise check.wrong_value(argument, f"one for each of {len(names)} outputs", len(items))
    return [(argument, item) for item in items]


def _listed(items: Any) -> list[Any]:
    if items is None:
        return []
    return list(items) if isinstance(items, list | tuple) else [items]


def _split(examples: Examples, share: float) -> tuple[Examples, Examples]:
    n = int(len(examples) * (1 - share))
    if not 0 < n < len(examples):
        expected = f"a share that leaves rows on both sides of {len(examples)}"
        raise check.wrong_value("validation_split", expected, share)
    return examples.split(n)
