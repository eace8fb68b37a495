"""Losses: what training makes small; a value per row, the mean over the outputs of the row."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

from fastnn import check
from fastnn.description import Description
from fastnn.graph import Setting, Spec

__all__ = [
    "BPR",
    "WARP",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SampledLogistic",
    "SampledSoftmax",
]


@dataclass(frozen=True, repr=False)
class Loss(Description):
    """Base of the losses."""

    kind: ClassVar[str]
    targets: ClassVar[str] = "values"  # or "probabilities" or "labels"

    def spec(self) -> Spec:
        """Return the loss as an engine takes it."""
        config: dict[str, Setting] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            config[item.name] = int(value) if isinstance(value, bool) else value
        return Spec(self.kind, config)


@dataclass(frozen=True, repr=False)
class MeanSquaredError(Loss):
    """``(p - y) ** 2``."""

    kind: ClassVar[str] = "mean_squared_error"


@dataclass(frozen=True, repr=False)
class MeanAbsoluteError(Loss):
    """``abs(p - y)``."""

    kind: ClassVar[str] = "mean_absolute_error"


@dataclass(frozen=True, repr=False)
class Huber(Loss):
    """With e = p - y: ``e ** 2 / 2`` up to ``abs(e) = delta``, a line of slope delta beyond.

    Parameters
    ----------
    delta : float, default 1
        Where the parabola turns into a line, > 0; smaller values mind outliers less.

    Examples
    --------
    >>> Huber(delta=0.5)
    Huber(delta=0.5)
    """

    kind: ClassVar[str] = "huber"

    delta: float = 1.0

    def __post_init__(self) -> None:
        self._set(delta=check.number("delta", self.delta, 0, above=True))


@dataclass(frozen=True, repr=False)
class BinaryCrossentropy(Loss):
    """``-y * log(p) - (1 - y) * log(1 - p)`` for targets y of [0, 1]; computed without clipping.

    Parameters
    ----------
    from_logits : bool, default False
        False: the output ends in a sigmoid and is p. True: p = sigmoid(output).
    """

    kind: ClassVar[str] = "binary_crossentropy"
    targets: ClassVar[str] = "probabilities"

    _: KW_ONLY
    from_logits: bool = False

    def __post_init__(self) -> None:
        self._set(from_logits=check.flag("from_logits", self.from_logits))


@dataclass(frozen=True, repr=False)
class CategoricalCrossentropy(Loss):
    """``-log(p[label])`` for integer labels of [0, classes); computed without clipping.

    Parameters
    ----------
    from_logits : bool, default False
        False: the output ends in a softmax and is p. True: p = softmax(output).
    """

    kind: ClassVar[str] = "categorical_crossentropy"
    targets: ClassVar[str] = "labels"

    _: KW_ONLY
    from_logits: bool = False

    def __post_init__(self) -> None:
        self._set(from_logits=check.flag("from_logits", self.from_logits))


@dataclass(frozen=True, repr=False)
class _Sampled(Loss):
    """What losses have in common that compare the score of a label with those of few others."""

    targets: ClassVar[str] = "labels"
    samplers: ClassVar[tuple[str, ...]] = ("uniform", "log_uniform", "unigram")

    negatives: int
    _: KW_ONLY
    sampler: str
    power: float = 0.75

    def __post_init__(self) -> None:
        most = 2**24
        self._set(negatives=check.integer("negatives", self.negatives, 1, most))
        check.choice("sampler", self.sampler, self.samplers)
        self._set(power=check.number("power", self.power, 0, 10))


@dataclass(frozen=True, repr=False)
class SampledSoftmax(_Sampled):
    """Cross-entropy of the label among itself and some classes drawn at random.

    For an output that `layers.Scores` makes. All rows of a batch share the negatives. A class i
    that was drawn m times in n has the logit ``score[i] + log(m / (n * q[i]))``, where q is the
    probability of a draw: that brings the gradient, on average, close to that of the whole softmax
    (Bengio and Senecal, "Adaptive importance sampling to accelerate training of a neural
    probabilistic language model", 2008; Rawat et al., "Sampled softmax with random Fourier
    features", 2019).

    Parameters
    ----------
    negatives : int
        Classes drawn for a batch, with replacement; more cost time and come closer to the whole
        softmax. With "in_batch" training takes the labels of the other rows instead.
    sampler : {"log_uniform", "uniform", "unigram", "in_batch"}
        How classes are drawn. "log_uniform": q[i] = log((i + 2) / (i + 1)) / log(units + 1), for
        labels sorted from frequent to rare; "uniform": all alike; "unigram": by their count among
        the labels given, to the power `power`; "in_batch": the labels of the other rows, whose q
        is their share of the labels given. Where rows have no company (`evaluate`) the last one
        draws `negatives` labels by that share.
    power : float
        In [0, 10], of "unigram": 1 draws as the labels are, 0 uniformly.
    correction : bool
        Whether logits lose log(n * q). Without it classes that are often drawn are held down.
    remove_hits : bool
        Whether the label of a row is taken out of its negatives. "in_batch" needs it.

    Examples
    --------
    >>> SampledSoftmax(256, sampler="uniform")
    SampledSoftmax(negatives=256, sampler='uniform')
    """

    kind: ClassVar[str] = "sampled_softmax"
    samplers: ClassVar[tuple[str, ...]] = ("log_uniform", "uniform", "unigram", "in_batch")

    negatives: int = 1024
    _: KW_ONLY
    sampler: str = "log_uniform"
    correction: bool = True
    remove_hits: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(correction=check.flag("correction", self.correction))
        self._set(remove_hits=check.flag("remove_hits", self.remove_hits))
        if self.sampler == "in_batch" and not self.remove_hits:
            raise check.wrong_value("remove_hits", "True for sampler 'in_batch'", "False")


@dataclass(frozen=True, repr=False)
class BPR(_Sampled):
    """``-log(sigmoid(s - s[j]))`` for the score s of the label and those of negatives j.

    For an output that `layers.Scores` makes; the mean over the negatives, which each row draws for
    itself. Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", 2009.

    Parameters
    ----------
    negatives : int
        Classes drawn for a row; one that is the row's label counts for nothing, like those of
        `Model.exclude_negatives`.
    sampler : {"uniform", "log_uniform", "unigram"}
        As in `SampledSoftmax`.
    power : float
        In [0, 10], of "unigram".

    Examples
    --------
    >>> BPR(negatives=4)
    BPR(negatives=4)
    """

    kind: ClassVar[str] = "bpr"

    negatives: int = 1
    _: KW_ONLY
    sampler: str = "uniform"


@dataclass(frozen=True, repr=False)
class WARP(_Sampled):
    """Draw until a negative's score comes within `margin` of the label's, then push both apart.

    For an output that `layers.Scores` makes. With the first such negative j, found at trial t,
    ``log(max(1, floor((units - 1) / t))) * (margin - s + s[j])``: the fewer trials it took, the
    worse the label must rank. 0 if none of the negatives comes so close. Weston et al., "WSABIE:
    Scaling up to large vocabulary image annotation", 2011.

    Parameters
    ----------
    negatives : int
        Trials of a row, at most. Classes that count for nothing (see `BPR`) are no trials.
    margin : float
        >= 0, by how much the label's score is to lead.
    sampler : {"uniform", "log_uniform", "unigram"}
        As in `SampledSoftmax`; the rank is estimated for "uniform".
    power : float
        In [0, 10], of "unigram".

    Examples
    --------
    >>> WARP(negatives=50)
    WARP(negatives=50)
    """

    kind: ClassVar[str] = "warp"

    negatives: int = 10
    _: KW_ONLY
    margin: float = 1.0
    sampler: str = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(margin=check.number("margin", self.margin, 0))


@dataclass(frozen=True, repr=False)
class SampledLogistic(_Sampled):
    """``-log(sigmoid(s)) - sum over j of log(sigmoid(-s[j]))``: a label against drawn negatives.

    For an output that `layers.Scores` makes; each row draws its own. Mikolov et al., "Distributed
    representations of words and phrases and their compositionality", 2013.

    Parameters
    ----------
    negatives : int
        Classes drawn for a row; see `BPR`.
    sampler : {"uniform", "log_uniform", "unigram"}
        As in `SampledSoftmax`.
    power : float
        In [0, 10], of "unigram".

    Examples
    --------
    >>> SampledLogistic(negatives=5, sampler="unigram")
    SampledLogistic(negatives=5, sampler='unigram')
    """

    kind: ClassVar[str] = "sampled_logistic"

    negatives: int = 8
    _: KW_ONLY
    sampler: str = "uniform"


NAMES: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": CategoricalCrossentropy,
    "sampled_softmax": SampledSoftmax,
    "bpr": BPR,
    "warp": WARP,
    "sampled_logistic": SampledLogistic,
}
METRICS = {
    "accuracy": "accuracy",
    "acc": "accuracy",
    "mean_squared_error": "mean_squared_error",
    "mse": "mean_squared_error",
    "mean_absolute_error": "mean_absolute_error",
    "mae": "mean_absolute_error",
}


def get(argument: str, value: object) -> Loss:
    """Return a loss given as an instance or by name."""
    return check.described(argument, value, Loss, NAMES)


def metric(argument: str, value: object) -> str:
    """Return the full name of a metric."""
    return METRICS[check.choice(argument, value, METRICS)]
