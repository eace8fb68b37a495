"""Models: a graph of layers with weights, and how they are trained and used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from numpy.typing import NDArray

from fastnn import callbacks as watchers
from fastnn import check, data, exclusions, saving, summary, threads, training
from fastnn.callbacks import Callback, History
from fastnn.data import Examples
from fastnn.goal import Goal
from fastnn.graph import Layer, Value
from fastnn.network import Network, Setup
from fastnn.optimizers import Optimizer
from fastnn.schedules import Schedule
from fastnn.training import Pace
from fastnn.weights import Weights

__all__ = ["Model"]

Array = NDArray[Any]


class Model(Weights):
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
    convolution : {"auto", "direct", "winograd"}
        How the core computes convolutions: "winograd" takes a quarter of the multiplications where
        it can (3 by 3, stride 1, float32) and rounds a little more, "auto" takes the faster.
    precision : {"float32", "bf16"}
        "bf16" rounds both factors of the products in dense layers and convolutions to bfloat16 (8
        bits of mantissa) and sums in float32: faster, weights stay float32. For dtype float32.

    Notes
    -----
    Each model holds its own weights, also when two are made of the same values: an encoder cut out
    of an autoencoder takes its weights by ``encoder.set_weights(...)``.

    Examples
    --------
    >>> from fastnn import Input, layers
    >>> x = Input((4,))
    >>> model = Model(x, layers.Dense(1)(x), backend="numpy", seed=0)
    >>> model.predict([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    array([[0.],
           [0.]], dtype=float32)
    """

    kind: ClassVar[str] = "Model"

    def __init__(
        self,
        inputs: Value | Sequence[Value],
        outputs: Value | Sequence[Value],
        *,
        name: str | None = None,
        backend: str = "core",
        dtype: str = "float32",
        seed: int | None = None,
        convolution: str = "auto",
        precision: str = "float32",
    ) -> None:
        self.configure(name, Setup(backend, dtype, seed, convolution, precision))
        self._build(_values("inputs", inputs), _values("outputs", outputs))

    def configure(self, name: str | None, setup: Setup) -> None:
        """Keep the settings; part of making a model."""
        self.name = check.name("name", name) or type(self).__name__.lower()
        self.setup = setup
        self.goal: Goal | None = None
        self.progress = training.Progress()
        self.history = History()
        self.stop_training = False
        self._turn = training.Turn()
        self._examples: Examples | None = None
        self._network: Network | None = None

    def _build(
        self,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        weights: Mapping[str, Array] | None = None,
    ) -> None:
        network = Network(inputs, outputs, self.setup, weights)
        if self.goal is not None:
            self.goal.compile(network.engine)
        self._network = network

    def _prepare(self, x: Any) -> None:
        """Get ready for the rows x; a Sequential without a shape is built here."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} with {len(self.layers)} layers>"

    @property
    def backend(self) -> str:
        """The engine: "core" or "numpy"."""
        return self.setup.backend

    @property
    def dtype(self) -> str:
        """Of weights and of all computing."""
        return self.setup.dtype

    @property
    def seed(self) -> int:
        """What fixes the initial weights and all chance in training."""
        assert self.setup.seed is not None
        return self.setup.seed

    @property
    def network(self) -> Network:
        """The planned graph and its weights."""
        if self._network is None:
            remedy = "give input_shape, or call fit first"
            raise check.wrong_value("input_shape", "a known shape of a row", "None", remedy)
        return self._network

    @property
    def built(self) -> bool:
        """Whether shapes are known and weights exist; not so for a Sequential without a shape."""
        return self._network is not None

    @property
    def inputs(self) -> list[Value]:
        """The inputs, in the order in which arrays are given."""
        return list(self.network.inputs)

    @property
    def outputs(self) -> list[Value]:
        """The outputs."""
        return list(self.network.outputs)

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order of evaluation, inputs left out."""
        return [value.layer for value in self.network.values.values() if value.inputs]

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
        goal = Goal.checked(self._output_labels(), optimizer, loss, loss_weights, metrics)
        self.set_goal(goal)
        return self

    def set_goal(self, goal: Goal) -> None:
        """Hand a goal to the engine, and start training from step 0."""
        with self._turn.taken():
            if self.built:
                goal.compile(self.network.engine)
            self.goal, self.progress = goal, training.Progress()

    def exclude_negatives(self, name: str | int, known: Any) -> Model:
        """Say which classes must not count as negatives: what a user is known to like.

        For losses that draw negatives, such as `losses.BPR`. It is no part of a saved model.

        Parameters
        ----------
        name : str or int
            The input of ids, one per row, by its name or position.
        known : sparse matrix (vocabulary, classes), or tuple (indptr, indices), or None
            Row i marks the classes of id i: a matrix of SciPy, or ``indices[indptr[i]:indptr[i +
            1]]`` in any order. None excludes nothing any more.
        """
        position, indptr, indices = exclusions.checked(self.network, name, known)
        with self._turn.taken():
            self.network.engine.exclude_negatives(position, indptr, indices)
        return self

    @property
    def learning_rate(self) -> float | Schedule:
        """The rate of the steps; setting it keeps the state of the optimizer."""
        return self._goal().optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float | Schedule) -> None:
        optimizer = replace(self._goal().optimizer, learning_rate=rate)
        self.goal = replace(self._goal(), optimizer=optimizer)

    def _output_labels(self) -> list[str]:
        return self.network.output_names

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
            One per input: (n, ...) numbers, or ids of an integer dtype. Numbers of uint8 (images)
            are used as they are, without a copy of floats; images of one channel may be (n, h, w).
            Tables of pandas, polars and pyarrow will do.
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
        with self._turn.taken(), training.kept_true(self):
            examples = self._convert(x, y, sample_weight)
            pace = self._pace(len(examples), batch_size, shuffle, n_jobs)
            validation = None
            if validation_data is not None:
                if share:
                    raise check.wrong_value("validation_split", "0 beside validation_data", share)
                validation = self._convert_validation(validation_data)
            elif share:
                examples, validation = training.split(examples, share)
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
        with self._turn.taken(), training.kept_true(self):
            if x is not None:
                self._examples = self._convert(x, y, sample_weight)
            if self._examples is None:
                raise check.wrong_type("x", "an array in the first call", x)
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
        result = self.network.engine.evaluate(
            examples.inputs, examples.targets, examples.weights, pace.batch_size, pace.threads
        )
        return self.name_results(result)

    def name_results(self, result: Mapping[str, Any]) -> dict[str, float]:
        """Return what an engine found, by the names that logs have."""
        return self._goal().logs(self.network.output_names, result)

    def gradients(
        self, x: Any, y: Any, *, sample_weight: Any = None
    ) -> tuple[float, dict[str, Array]]:
        """Return the loss of all rows as one batch, penalties included, and its gradients.

        Parameters
        ----------
        x, y, sample_weight : array-like
            As in `fit`.

        Returns
        -------
        loss : float
            Mean over the rows; dropout and noise are off, batch normalisation takes the batch's
            own mean and variance.
        gradients : dict of str to array
            By the names of `parameters`, shaped as these; frozen ones are left out.

        Examples
        --------
        >>> from fastnn import Sequential, layers
        >>> model = Sequential([layers.Dense(1, kernel_initializer="ones")], input_shape=2)
        >>> loss, gradients = model.compile(loss="mse").gradients([[1.0, 2.0]], [[1.0]])
        >>> loss, gradients["dense/bias"]
        (4.0, array([4.], dtype=float32))
        """
        examples = self._convert(x, y, sample_weight)
        engine = self.network.engine
        loss, found = engine.gradients(examples.inputs, examples.targets, examples.weights)
        return float(loss), {name: found[name] for name, _ in self.parameters() if name in found}

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
        if self._network is None:
            self._prepare(x)
        network = self._network or self.network
        size = check.integer("batch_size", batch_size, 1)
        if n_jobs is None:
            found = network.engine.predict_ready(x)
            if found is not None:
                return found
        inputs = data.convert_inputs("x", x, network.input_specs, self.dtype)
        found = network.engine.predict(inputs, size, threads.resolve(n_jobs))
        return found[0] if len(found) == 1 else list(found)

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
        return saving.graph_config(self.network)

    def from_config(self, config: Mapping[str, Any], weights: Mapping[str, Array]) -> None:
        """Build what `to_config` wrote; part of loading a model."""
        self._build(*saving.graph_from_config(config), weights)

    def __getstate__(self) -> bytes:
        from fastnn import files

        return files.to_bytes(*saving.describe(self))

    def __setstate__(self, state: bytes) -> None:
        from fastnn import files

        saving.restore(self, *files.from_bytes(state))

    def _goal(self) -> Goal:
        if self.goal is None:
            raise check.wrong_value("model", "a call of compile with a loss first", "none")
        return self.goal

    def _convert(self, x: Any, y: Any, sample_weight: Any, at: str = "{}") -> Examples:
        goal = self._goal()
        self._prepare(x)
        inputs = data.convert_inputs(at.format("x"), x, self.network.input_specs, self.dtype)
        specs = goal.targets(self.network.output_names, self.network.output_shapes)
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


def _values(argument: str, given: Value | Sequence[Value]) -> list[Value]:
    values: list[Any] = list(given) if isinstance(given, list | tuple) else [given]
    for value in values:
        if not isinstance(value, Value):
            raise check.wrong_type(argument, "values made by Input or a layer", value)
    if not values or len(set(values)) < len(values):
        got = "one twice" if values else "none"
        raise check.wrong_value(argument, "one or more different values", got)
    return values
