"""A network in 8-bit integers: static, one scale per output channel of a weight.

It is written as pairs of QuantizeLinear and DequantizeLinear, which onnxruntime fuses into its integer kernels.
Activations are unsigned and weights signed, the pair that the VNNI instructions of x86 multiply: with signed
activations MobileNetV2 took 1.8 times as long.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from florilegium.onnx_sessions import multiplies_bytes
from florilegium.onnx_variants import tidied

# What onnxruntime has 8-bit kernels for, or passes 8 bits through; softmax, norms and the rest stay fp32.
WITH_WEIGHTS = ("Conv", "Gemm", "MatMul")
OTHERS = (
    *("Add", "Mul", "Sigmoid", "Relu", "Clip", "LeakyRelu", "GlobalAveragePool", "AveragePool", "MaxPool"),
    *("Concat", "Reshape", "Transpose", "Squeeze", "Unsqueeze"),
)
OPERATORS = (*WITH_WEIGHTS, *OTHERS)

Means = Mapping[str, np.ndarray]  # tensor -> mean of each of its channels over images and places


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with every shape known, BatchNorm folded, and mean pooling as one operator that has an 8-bit kernel."""
    made = copy.deepcopy(model)
    _name_pooling(made.graph)
    made = tidied(made)
    with tempfile.TemporaryDirectory() as folder, _quiet("", "onnxruntime.quantization.shape_inference"):
        path = Path(folder) / "prepared.onnx"
        quant_pre_process(made, path)
        return onnx.load(path)


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Loggers, the empty name is the root's, say nothing less than errors for a while."""
    before = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _name_pooling(graph: onnx.GraphProto) -> None:
    """ReduceMean over height and width becomes GlobalAveragePool, which is the same."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for place, node in enumerate(graph.node):
        axes = constants.get(node.input[1]) if node.op_type == "ReduceMean" and len(node.input) > 1 else None
        kept = all(attribute.i for attribute in node.attribute if attribute.name == "keepdims")
        if axes is not None and kept and sorted(numpy_helper.to_array(axes).ravel() % 4) == [2, 3]:
            pooling = helper.make_node("GlobalAveragePool", node.input[:1], node.output, name=node.name)
            graph.node[place].CopyFrom(pooling)


def quantized(
    model: onnx.ModelProto,
    ranges: TensorsData,
    kept: Collection[str] = (),
    biases: Mapping[str, np.ndarray] | None = None,
) -> onnx.ModelProto:
    """An 8-bit copy.

    Args:
        model: from `prepared`.
        ranges: smallest and largest value of every tensor.
        kept: names of the nodes that stay fp32.
        biases: from `corrected_biases`, by node, for the layers that become 8-bit; None leaves all as they are.
    """
    source = copy.deepcopy(model)
    constants = {tensor.name: tensor for tensor in source.graph.initializer}
    for node in source.graph.node:
        if biases and node.name in biases and node.name not in kept:
            constants[node.input[2]].CopyFrom(numpy_helper.from_array(biases[node.name], node.input[2]))
    tool = QDQQuantizer(
        source,
        per_channel=True,
        reduce_range=not multiplies_bytes(),
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=copy.deepcopy(ranges),  # it is changed there
        nodes_to_quantize=[],
        nodes_to_exclude=list(kept),
        op_types_to_quantize=list(OPERATORS),
        extra_options={},
    )
    tool.quantize_model()
    return tool.model.model


def corrected_biases(model: onnx.ModelProto, made: onnx.ModelProto, means: Means) -> dict[str, np.ndarray]:
    """Biases that make good what rounding a layer's weights shifts its output by on average, by name of the layer.

    Bias correction as in Nagel et al. 2019, section 4.2, with the means measured instead of derived.

    Args:
        model: from `prepared`.
        made: its 8-bit copy.
        means: of every layer's input.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    rounded, found = _rounded_weights(made), {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and node.name in rounded and len(node.input) == 3:
            weight, bias = (numpy_helper.to_array(constants[name]) for name in node.input[1:])
            shift = _mean_shift(node, rounded[node.name] - weight, means[node.input[0]])
            found[node.name] = (bias - shift).astype(np.float32)
    return found


def _mean_shift(node: onnx.NodeProto, error: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """What an error of the weights adds to each output channel on average."""
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        return (error if transposed else error.T) @ mean
    taps = error.reshape(*error.shape[:2], -1).sum(axis=2)  # (outputs, inputs of the group)
    groups = len(mean) // taps.shape[1]
    return np.einsum("goi,gi->go", taps.reshape(groups, -1, taps.shape[1]), mean.reshape(groups, -1)).reshape(-1)


def _rounded_weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The weights that each 8-bit layer really multiplies with, by the name of the node."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    found = {}
    for node in model.graph.node:
        maker = makers.get(node.input[1]) if node.op_type in WITH_WEIGHTS else None
        if maker is not None and maker.input[0] in constants:
            values, scale = (numpy_helper.to_array(constants[name]) for name in maker.input[:2])
            axis = next((attribute.i for attribute in maker.attribute if attribute.name == "axis"), 1)
            shape = [-1 if place == axis else 1 for place in range(values.ndim)]
            found[node.name] = values.astype(np.float32) * (scale.reshape(shape) if scale.ndim else scale)
    return found


def layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that may become 8-bit, from input to output."""
    return [node for node in model.graph.node if node.op_type in OPERATORS]


def ends(model: onnx.ModelProto) -> list[str]:
    """Names of the first two layers with weights (stem, and in MobileNets its depthwise follower) and of the last."""
    weighted = [node.name for node in model.graph.node if node.op_type in WITH_WEIGHTS]
    return list(dict.fromkeys([*weighted[:2], weighted[-1]]))


def blocks(model: onnx.ModelProto, count: int) -> list[list[str]]:
    """The nodes that may become 8-bit, cut into at most `count` pieces of the road from input to output."""
    pieces = np.array_split([node.name for node in layers(model)], count)
    return [list(piece) for piece in pieces if len(piece)]
