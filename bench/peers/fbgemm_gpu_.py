"""FBGEMM: its table of bags on the CPU, whose backward pass holds the optimizer."""

from __future__ import annotations

from typing import Any

import torch
from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
    BoundsCheckMode,
    ComputeDevice,
    EmbeddingLocation,
    OptimType,
    SplitTableBatchedEmbeddingBagsCodegen,
)

from bench.peers.torch_ import lookup_side
from bench.tables.problem import EPSILON, LEARNING_RATE, Lookups
from bench.timing import Side


def table_of(problem: Lookups) -> Any:
    """The problem's table, without a check of ids before every step."""
    kind = OptimType.EXACT_ROWWISE_ADAGRAD if problem.rowwise else OptimType.EXACT_ADAGRAD
    place = (problem.rows, problem.width, EmbeddingLocation.HOST, ComputeDevice.CPU)
    table = SplitTableBatchedEmbeddingBagsCodegen(
        [place],
        optimizer=kind,
        learning_rate=LEARNING_RATE,
        eps=EPSILON,
        bounds_check_mode=BoundsCheckMode.NONE,
    )
    table.momentum1_host.data.zero_()  # so that its pages are there before the clock runs
    table.weights_host.data = torch.from_numpy(problem.table).view(-1)
    return table


def looking_up(problem: Lookups, threads: int) -> list[Side]:
    """A lookup is a bag of one."""
    torch.set_num_threads(threads)
    table = table_of(problem)
    n_ids = problem.batch * problem.lookups
    offsets = torch.arange(0, n_ids + 1, problem.lookups)
    return [lookup_side("fbgemm", problem, lambda ids: table(ids.view(-1), offsets), None)]
