"""ONNX Runtime, predicting with a graph of the same weights."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bench.timing import Side
from bench.training.problem import Dense, Prediction

NODES = {"relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax"}


def graph(problem: Dense) -> bytes:
    """The chain as an ONNX file: Gemm and activation per layer, input "x", output "y"."""
    nodes, arrays, last = [], [], "x"
    for i, ((w, b), name) in enumerate(zip(problem.weights(), problem.activations, strict=True)):
        arrays += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"z{i}"]))
        last = f"z{i}"
        if name in NODES:
            nodes.append(helper.make_node(NODES[name], [last], [f"a{i}"]))
            last = f"a{i}"
    nodes[-1].output[0] = "y"
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "chain",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", problem.x.shape[1]))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", problem.units[-1]))],
            arrays,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    model.ir_version = 8
    serialised: bytes = model.SerializeToString()
    return serialised


def inference(problem: Prediction, threads: int) -> list[Side]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        graph(problem.network), options, providers=["CPUExecutionProvider"]
    )
    feed = {"x": problem.x}

    def run(calls: int) -> int:
        for _ in range(calls):
            session.run(None, feed)
        return calls * len(problem.x)

    return [Side("onnxruntime", run, lambda: np.asarray(session.run(None, feed)[0]))]
