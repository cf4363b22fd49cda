"""What calibration looks at: the values that a network's tensors take on training images."""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator

from florilegium.int8_graph import OPERATORS
from florilegium.onnx_export import INPUT
from florilegium.onnx_sessions import cpu_session

PERCENTILE = 99.99  # of the values of a tensor that keep their place; the others are clipped to the nearest kept one
# Histograms need every tensor of a network at once: this many pixels (images x crop x crop) at a time.
PIXELS = 100_000
METHODS = {
    "smallest and largest value": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"percentile": PERCENTILE, "symmetric": False}),
    "entropy": (CalibrationMethod.Entropy, {}),
}


class _Views(CalibrationDataReader):
    """Views in small batches, as onnxruntime's calibration asks for them."""

    def __init__(self, batches: Iterator[np.ndarray]):
        self._batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def pieces(views: np.ndarray) -> Iterator[np.ndarray]:
    """Views (n, 3, crop, crop) in batches of a bounded number of pixels."""
    size = max(1, PIXELS // views.shape[2] ** 2)
    return (views[start : start + size] for start in range(0, len(views), size))


def ranges(model: onnx.ModelProto, views: np.ndarray, method: str) -> TensorsData:
    """Range of every tensor that may become 8-bit.

    Args:
        model: from `int8_graph.prepared`.
        views: (n, 3, crop, crop) float32.
        method: one of METHODS.
    """
    kind, options = METHODS[method]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        calibrator = create_calibrator(
            path,
            list(OPERATORS),
            augmented_model_path=str(Path(folder) / "watched.onnx"),
            calibrate_method=kind,
            extra_options=dict(options),
        )
        for batch in pieces(views):
            calibrator.collect_data(_Views(iter([batch])))
        return calibrator.compute_data()


def channel_means(model: onnx.ModelProto, views: np.ndarray) -> dict[str, np.ndarray]:
    """Mean of each channel, over images and places, of every tensor that a layer with weights takes in."""
    watched, outputs = copy.deepcopy(model), {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and node.input[0] not in outputs:
            outputs[node.input[0]] = f"{node.input[0]}_channel_mean"
            axes = "places" if node.op_type == "Conv" else "images_only"
            output = outputs[node.input[0]]
            watched.graph.node.append(helper.make_node("ReduceMean", [node.input[0], axes], [output], keepdims=0))
            watched.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    for name, axes in (("places", [0, 2, 3]), ("images_only", [0])):
        watched.graph.initializer.append(numpy_helper.from_array(np.array(axes, np.int64), name))
    session = cpu_session(watched, threads=1)
    totals = [0.0] * len(outputs)
    for batch in pieces(views):
        found = session.run(list(outputs.values()), {INPUT: batch})
        totals = [total + len(batch) * mean for total, mean in zip(totals, found, strict=True)]
    return {name: total / len(views) for name, total in zip(outputs, totals, strict=True)}
