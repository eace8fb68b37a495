"""PyTorch: the textbook loop, also with the fused optimizer; sparse and dense tables.

`torch.compile` of the loss is left out: on all these workloads it ran between 0.6 and 1.03 times as
fast as the fused loop, and compiles for ten seconds each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bench.tables.problem import EPSILON as ADAGRAD_EPSILON
from bench.tables.problem import LEARNING_RATE, Classes, Lookups
from bench.timing import Array, Side
from bench.training.problem import EPSILON, Convolution, Dense, Prediction, Ratings

ACTIVATIONS = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}


class Loop:
    """The textbook loop over shuffled rows: index, forward, backward, step."""

    def __init__(
        self,
        columns: list[Any],
        batch: int,
        optimizer: Any,
        loss_of: Callable[..., Any],
        precision: str = "float32",
    ) -> None:
        self.columns, self.batch, self.optimizer = columns, batch, optimizer
        self.loss_of, self.mixed = loss_of, precision == "bf16"
        self.n = len(columns[0])
        self.order, self.at = torch.randperm(self.n), 0

    def step(self, rows: Any) -> Any:
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            loss = self.loss_of(*(column[rows] for column in self.columns))
        loss.backward()
        self.optimizer.step()
        return loss

    def run(self, steps: int) -> int:
        seen = 0
        for _ in range(steps):
            if self.at >= self.n:
                self.order, self.at = torch.randperm(self.n), 0
            rows = self.order[self.at : self.at + self.batch]
            self.at += self.batch
            self.step(rows)
            seen += len(rows)
        return seen

    def losses(self, batches: Array) -> Array:
        return np.array([self.step(torch.from_numpy(rows)).item() for rows in batches])


def network(problem: Dense) -> torch.nn.Sequential:
    """The chain with the problem's weights; the softmax is left to the loss."""
    modules: list[torch.nn.Module] = []
    for (w, b), name in zip(problem.weights(), problem.activations, strict=True):
        layer = torch.nn.Linear(*w.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(w.T))
            layer.bias.copy_(torch.from_numpy(b))
        modules.append(layer)
        if name in ACTIVATIONS:
            modules.append(ACTIVATIONS[name]())
    return torch.nn.Sequential(*modules)


def dense_loss(problem: Dense, model: torch.nn.Sequential) -> Callable[..., Any]:
    base: Any = {"mse": torch.nn.MSELoss, "categorical": torch.nn.CrossEntropyLoss}[problem.loss]()
    code = 2 * problem.code + 2  # modules up to and including the narrowest layer's activation

    def loss_of(x: Any, y: Any) -> Any:
        if problem.noise:
            x = x + problem.noise * torch.randn_like(x)
        if problem.code_l1:
            z = model[:code](x)
            return base(model[code:](z), y) + problem.code_l1 * z.abs().sum() / len(x)
        return base(model(x), y)

    return loss_of


def dense(problem: Dense, threads: int) -> list[Side]:
    torch.set_num_threads(threads)
    columns = [torch.from_numpy(problem.x), torch.from_numpy(problem.y)]
    batches = problem.batches()

    def side(name: str, fused: bool) -> Side:
        model = network(problem)
        loss_of = dense_loss(problem, model)
        adam = torch.optim.Adam(
            model.parameters(), lr=problem.learning_rate, eps=EPSILON, fused=fused
        )
        loop = Loop(columns, problem.batch, adam, loss_of, problem.precision)
        operations = problem.operations()
        return Side(name, loop.run, lambda: loop.losses(batches), operations=operations)

    return [
        side("torch eager", fused=False),
        side("torch fused", fused=True),
    ]


def convolutional(problem: Convolution) -> torch.nn.Sequential:
    """The chain with the problem's weights; the first dense kernel's rows go from NHWC to NCHW."""
    weights = iter(problem.weights())
    sizes, _ = problem.sizes()
    channels, border = problem.x.shape[3], int(problem.padding == "same")
    modules: list[Any] = []

    def add(layer: Any, kernel: Array, bias: Array) -> None:
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            layer.bias.copy_(torch.from_numpy(bias))
        modules.append(layer)

    for block in problem.blocks:
        for filters in block:
            kernel, bias = next(weights)
            layer = torch.nn.Conv2d(channels, filters, 3, padding=border)
            add(layer, kernel.transpose(3, 2, 0, 1), bias)
            modules.append(torch.nn.ReLU(inplace=True))
            channels = filters
        modules.append(torch.nn.MaxPool2d(2))
    modules.append(torch.nn.Flatten())
    side = sizes[-1][0] // 2
    for i, (kernel, bias) in enumerate(weights):
        if i == 0:
            kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
            kernel = kernel.reshape(-1, len(bias))
        else:
            modules.append(torch.nn.ReLU(inplace=True))
        add(torch.nn.Linear(*kernel.shape), kernel.T, bias)
    return torch.nn.Sequential(*modules)


def convolution(problem: Convolution, threads: int) -> list[Side]:
    torch.set_num_threads(threads)
    y, batches = torch.from_numpy(problem.y), problem.batches()
    images = torch.from_numpy(problem.x).permute(0, 3, 1, 2)
    cross_entropy = torch.nn.CrossEntropyLoss()

    def side(name: str, layout: torch.memory_format) -> Side:
        model: Any = convolutional(problem)
        model.to(memory_format=layout)
        adam = torch.optim.Adam(
            model.parameters(), lr=problem.learning_rate, eps=EPSILON, fused=True
        )
        columns = [images.contiguous(memory_format=layout), y]

        def loss_of(x: Any, y: Any) -> Any:
            return cross_entropy(model(x), y)

        loop = Loop(columns, problem.batch, adam, loss_of, problem.precision)
        operations = problem.operations()
        return Side(name, loop.run, lambda: loop.losses(batches), operations=operations)

    return [
        side("torch channels last", torch.channels_last),
        side("torch NCHW", torch.contiguous_format),
    ]


def factorisation(problem: Ratings, threads: int) -> list[Side]:
    torch.set_num_threads(threads)
    columns = [torch.from_numpy(c) for c in (problem.users, problem.items, problem.ratings)]
    batches = problem.batches()

    def side(name: str, sparse: bool) -> Side:
        tables = {
            key: torch.nn.Embedding.from_pretrained(
                torch.from_numpy(w), freeze=False, sparse=sparse
            )
            for key, w in problem.weights().items()
        }

        def loss_of(users: Any, items: Any, ratings: Any) -> Any:
            score = (tables["user"](users) * tables["item"](items)).sum(1)
            score = score + tables["user_bias"](users)[:, 0] + tables["item_bias"](items)[:, 0]
            predicted = problem.low + (problem.high - problem.low) * torch.sigmoid(score)
            return torch.nn.functional.mse_loss(predicted, ratings)

        weights = [table.weight for table in tables.values()]
        optimizer = (
            torch.optim.SparseAdam(weights, lr=problem.learning_rate, eps=EPSILON)
            if sparse
            else torch.optim.Adam(weights, lr=problem.learning_rate, eps=EPSILON, fused=True)
        )
        loop = Loop(columns, problem.batch, optimizer, loss_of)
        return Side(
            name, loop.run, lambda: loop.losses(batches), group="sparse" if sparse else "dense"
        )

    return [side("torch sparse", sparse=True), side("torch fused", sparse=False)]


def lookup_side(name: str, problem: Lookups, look_up: Callable[[Any], Any], optimizer: Any) -> Side:
    """A side that is handed the gradient of its rows, or bags; the optimizer may lie in that pass.

    Its table is `problem.table` itself: the check puts back the rows that it moves.
    """
    ids, targets = torch.from_numpy(problem.ids), torch.from_numpy(problem.targets)
    direction = torch.from_numpy(problem.direction)
    given = (direction / problem.batch).repeat(problem.batch, 1)
    order, at = torch.randperm(len(ids)), 0

    def step(rows: Any, gradient_of: Callable[[Any], Any]) -> None:
        if optimizer is not None:
            optimizer.zero_grad()
        found = look_up(ids[rows])
        found.backward(gradient_of(found))
        if optimizer is not None:
            optimizer.step()

    def run(steps: int) -> int:
        nonlocal at
        for _ in range(steps):
            step(order[at : at + problem.batch], lambda found: given)
            at = (at + problem.batch) % len(order)
        return steps * problem.batch * problem.lookups

    def check() -> Array:
        moved = np.unique(problem.ids[problem.batches()])
        before, losses = problem.table[moved], list[float]()
        for rows in map(torch.from_numpy, problem.batches()):

            def gradient_of(found: Any, rows: Any = rows) -> Any:
                excess = found.detach() @ direction - targets[rows]
                losses.append(float((excess**2).mean()))
                return 2 / len(rows) * excess[:, None] * direction

            step(rows, gradient_of)
        problem.table[moved] = before
        return np.array(losses)

    return Side(name, run, check)


def looking_up(problem: Lookups, threads: int) -> list[Side]:
    torch.set_num_threads(threads)
    if problem.rowwise:
        return []
    weight = torch.nn.Parameter(torch.from_numpy(problem.table))
    adagrad = torch.optim.Adagrad([weight], lr=LEARNING_RATE, eps=ADAGRAD_EPSILON)

    def look_up(ids: Any) -> Any:
        if problem.lookups == 1:
            return torch.nn.functional.embedding(ids, weight, sparse=True)
        return torch.nn.functional.embedding_bag(ids, weight, mode="sum", sparse=True)

    return [lookup_side("torch sparse", problem, look_up, adagrad)]


class LogUniform:
    """Draws the shared negatives of a batch; `expected` is how often each comes in a batch."""

    def __init__(self, n_items: int, n_draws: int) -> None:
        self.n_items, self.n_draws, self.span = n_items, n_draws, np.log(n_items + 1)

    def draw(self) -> Any:
        ids = torch.exp(torch.rand(self.n_draws, dtype=torch.float64) * self.span) - 1
        return ids.long().clamp_(max=self.n_items - 1)

    def expected(self, ids: Any) -> Any:
        return torch.log1p(1 / (ids + 1)) * (self.n_draws / self.span)


def sampled_loss(sampler: LogUniform, users: Any, rows: Any, labels: Any, drawn: Any) -> Any:
    """Cross-entropy of the labels, whose rows come first, among the negatives, whose rows follow.

    The mean over the batch; a negative that is a row's label counts for nothing there.
    """
    n = len(labels)
    label = (users * rows[:n]).sum(1)
    others = users @ rows[n:].T - sampler.expected(drawn).log()
    others = others.masked_fill(labels[:, None] == drawn, -torch.inf)
    scores = torch.cat([label[:, None], others], 1)
    return torch.nn.functional.cross_entropy(scores, torch.zeros(n, dtype=torch.long))


def choosing(problem: Classes, threads: int) -> list[Side]:
    torch.set_num_threads(threads)
    columns = [torch.from_numpy(problem.users), torch.from_numpy(problem.labels)]
    sampler, batches = LogUniform(problem.n_items, problem.negatives), problem.batches()
    look_up = torch.nn.functional.embedding

    def side(name: str, joint: bool) -> Side:
        tables = {k: torch.nn.Parameter(torch.from_numpy(w)) for k, w in problem.weights().items()}

        def loss_of(users: Any, labels: Any) -> Any:
            drawn = sampler.draw()
            vectors = look_up(users, tables["user"], sparse=True)
            ids = [torch.cat([labels, drawn])] if joint else [labels, drawn]
            rows = [look_up(part, tables["item"], sparse=True) for part in ids]
            return sampled_loss(sampler, vectors, torch.cat(rows), labels, drawn)

        adagrad = torch.optim.Adagrad(tables.values(), lr=LEARNING_RATE, eps=ADAGRAD_EPSILON)
        loop = Loop(columns, problem.batch, adagrad, loss_of)
        return Side(name, loop.run, lambda: loop.losses(batches), operations=problem.operations())

    return [side("torch sparse", joint=False), side("torch joint", joint=True)]


def inference(problem: Prediction, threads: int) -> list[Side]:
    torch.set_num_threads(threads)
    model = torch.nn.Sequential(network(problem.network), torch.nn.Softmax(dim=1)).eval()
    x = torch.from_numpy(problem.x)

    def run(calls: int) -> int:
        with torch.inference_mode():
            for _ in range(calls):
                model(x)
        return calls * len(problem.x)

    def check() -> Array:
        with torch.inference_mode():
            return np.asarray(model(x))

    return [Side("torch", run, check)]
