"""Activations that training keeps fewer copies of; what they compute is bit for bit torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class _ClampInPlace(torch.autograd.Function):
    """ReLU6 in place. A clamped value says itself whether it was clamped, so the input need not be kept."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:
        ctx.mark_dirty(values)
        values.clamp_(0.0, 6.0)
        ctx.save_for_backward(values)
        return values

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, values, 0.0, 6.0)


class LeanReLU6(nn.ReLU6):
    """ReLU6 whose backward reads its output, which the next layer keeps anyway."""

    def forward(self, values: Tensor) -> Tensor:
        """Clamp to 0 … 6, in place while training."""
        return _ClampInPlace.apply(values) if self.training else functional.relu6(values)


def make_activations_lean(network: nn.Module) -> nn.Module:
    """Prepare a network for training: no activation clones its input.

    Torch's in-place ReLU6, SiLU and Hardswish copy their input first, because their backward reads it: a third of
    MobileNetV2's activations (`make benchmark` shows the peak). ReLU6 gets by without the input; for the others the
    output beside the input costs the same memory as the copy, and saves the copying.
    """
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, (nn.SiLU, nn.Hardswish)):
                layer.inplace = False
            elif type(layer) is nn.ReLU6 and layer.inplace:
                setattr(parent, name, LeanReLU6(inplace=True).train(layer.training))
    return network
