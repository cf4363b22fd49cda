"""What is made from the exported network besides itself: half precision, and the file that takes photographs."""

from __future__ import annotations

import copy
import logging

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from florilegium.onnx_preprocessing import PICTURES, preprocessing

PROBABILITIES = "probabilities"


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network with 16-bit weights and arithmetic; inputs and outputs stay float32.

    Where a processor has no 16-bit arithmetic, onnxruntime computes in 32 bits and casts: half the file, no speed.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    logging.getLogger("onnxruntime.transformers.float16").setLevel(logging.ERROR)
    return convert_float_to_float16(copy.deepcopy(model), keep_io_types=True)


def with_fp16_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network with weights in 16 bits and arithmetic in 32: for networks that 16-bit arithmetic blurs."""
    half, casts = copy.deepcopy(model), []
    for tensor in half.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1:
            name, stored = tensor.name, f"{tensor.name}.fp16"
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
            casts.append(helper.make_node("Cast", [stored], [name], name=f"{name}.widen", to=TensorProto.FLOAT))
    nodes = [*casts, *half.graph.node]
    del half.graph.node[:]
    half.graph.node.extend(nodes)
    return half


def with_preprocessing(model: onnx.ModelProto, crop: int, mode: str, temperature: float) -> onnx.ModelProto:
    """The network between photographs and probabilities.

    Args:
        model: takes `images`, gives `logits`.
        crop: height and width that the network sees.
        mode: how a photograph becomes a square, `squash`, `center` or `imagenet` (images.to_square).
        temperature: what logits are divided by.

    Returns:
        A graph from `pictures`, uint8 (n, height, width, 3) of any one size, to `probabilities`, float32 (n, classes).
    """
    made = copy.deepcopy(model)
    graph, first = made.graph, made.graph.input[0].name
    last = copy.deepcopy(made.graph.output[0])
    before, constants = preprocessing(crop, mode, first)
    after = [
        helper.make_node("Div", [last.name, "service.temperature"], ["service.calibrated"], name="service.calibrate"),
        helper.make_node("Softmax", ["service.calibrated"], [PROBABILITIES], name="service.softmax", axis=1),
    ]
    nodes, classes = [*before, *graph.node, *after], last.type.tensor_type.shape.dim[1].dim_value
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(PICTURES, TensorProto.UINT8, ["batch", "height", "width", 3]))
    graph.output.append(helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["batch", classes]))
    constants["service.temperature"] = np.array(temperature, np.float32)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return made


def tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without unused constants and the exporter's notes on every node (lines and paths of source code)."""
    model = copy.deepcopy(model)
    graph = model.graph
    for noted in (*graph.node, *graph.input, *graph.output, *graph.value_info):
        del noted.metadata_props[:]
        noted.doc_string = ""
    used = {name for node in graph.node for name in node.input}
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    return model
