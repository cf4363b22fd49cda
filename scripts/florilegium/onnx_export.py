"""A network as one ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT = "images", "logits"


def to_onnx(network: nn.Module, crop: int, opset: int = 18) -> onnx.ModelProto:
    """Export `network` (eval mode, fp32, on the CPU) with a free batch size.

    Args:
        network: takes (n, 3, crop, crop) float32 and returns one float32 tensor.
        crop: height and width in pixels.
        opset: 18 is what torch's exporter writes without converting.
    """
    # Two images: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, crop, crop)
    names: Sequence[str] = [OUTPUT]
    for noisy in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            output_names=names,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            opset_version=opset,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return program.model_proto
