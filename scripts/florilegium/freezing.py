"""The first stages of a network, which phase 2 may leave as they are: they learn nothing, and only infer."""

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

    They compute as inference does, with BatchNorm folded, in a format of their own: of what bf16 does to MobileNetV2's
    ImageNet features the first three stages do nearly all.
    """

    def __init__(self, network: nn.Module, count: int, arithmetic: Arithmetic):
        """Freeze the `count` stages nearest to the input, which then compute in `arithmetic`."""
        for _, parameters in stages(network)[:count]:
            for parameter in parameters:
                parameter.requires_grad_(False)  # nothing is kept for them, and no gradient is computed
        self._stages = first_stages(network, count)
        self._stand_ins = [_StandIn(folded(stage, arithmetic), arithmetic) for stage in self._stages]

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


class _StandIn:
    """Calls a module in its own format, whatever autocast is around; no module, or it would join the network's."""

    def __init__(self, module: nn.Module, arithmetic: Arithmetic):
        self._module, self._arithmetic = module, arithmetic

    def __call__(self, values: Tensor) -> Tensor:
        with torch.autocast(self._arithmetic.device.type, enabled=False):
            return self._module(values.to(self._arithmetic.dtype))
