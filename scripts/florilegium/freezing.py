"""The first stages of a network, which phase 2 may leave as they are: they learn nothing and compute in fp32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from florilegium.devices import Arithmetic
from florilegium.inference import folded
from florilegium.networks import first_stages, stages


class FrozenStages:
    """The first stages of a network in phase 2, where they stay as ImageNet left them.

    They compute in fp32, with BatchNorm folded: bf16 moves the features of MobileNetV2's ImageNet weights by a tenth,
    and its first three stages do nearly all of that.
    """

    def __init__(self, network: nn.Module, count: int, arithmetic: Arithmetic):
        """Freeze the `count` stages nearest to the input."""
        for _, parameters in stages(network)[:count]:
            for parameter in parameters:
                parameter.requires_grad_(False)  # nothing is kept for them, and no gradient is computed
        self._stages = first_stages(network, count)
        self._stand_ins = [_InFullPrecision(folded(stage), arithmetic.device.type) for stage in self._stages]

    @contextmanager
    def computing(self) -> Iterator[None]:
        """While this is open the network's frozen stages compute so; afterwards it is as it was."""
        for stage, stand_in in zip(self._stages, self._stand_ins, strict=True):
            stage.forward = stand_in
        try:
            yield
        finally:
            for stage in self._stages:
                del stage.forward


class _InFullPrecision:
    """Calls a module in fp32, whatever autocast is around. No module itself: it would become a part of the network."""

    def __init__(self, module: nn.Module, device_type: str):
        self._module, self._device_type = module, device_type

    def __call__(self, values: Tensor) -> Tensor:
        with torch.autocast(self._device_type, enabled=False):
            return self._module(values.float())
