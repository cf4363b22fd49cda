"""Which weights are validated and kept: the last ones, their moving average, or the average of the last epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Averaged:
    """A network and the average of it that the recipe's phase 2 asks for; BatchNorm's statistics are averaged, too.

    Exponential moving average after every step (Polyak and Juditsky 1992; as in Tarvainen and Valpola 2017,
    https://arxiv.org/abs/1703.01780), or the plain average of the ends of the last epochs (stochastic weight averaging,
    Izmailov et al. 2018, https://arxiv.org/abs/1803.05407) of the weights or of that moving average.
    """

    def __init__(self, network: nn.Module, phase2: Mapping[str, Any]):
        """Begin with the network as it is."""
        self._network, self._first = network, phase2["epochs"] - phase2["average_epochs"]
        decay = phase2["ema_decay"]
        self._moving = _copy(network, get_ema_multi_avg_fn(decay)) if decay else None
        self._plain = _copy(network, None) if phase2["average_epochs"] > 1 else None
        self._averages = False

    @property
    def network(self) -> nn.Module:
        """The network to validate and to keep."""
        return self._plain.module if self._averages else self._latest

    @property
    def _latest(self) -> nn.Module:
        return self._moving.module if self._moving else self._network

    def after_step(self) -> None:
        """The optimizer has made a step."""
        if self._moving:
            self._moving.update_parameters(self._network)

    def after_epoch(self, epoch: int) -> None:
        """Epoch `epoch` (0-based) is trained."""
        if self._plain and epoch >= self._first:
            self._plain.update_parameters(self._latest)
            self._averages = True

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs to go on as this one."""
        averages = {"moving": self._moving, "plain": self._plain}
        return {name: average.state_dict() for name, average in averages.items() if average} | {
            "averages": self._averages
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` described."""
        for name, average in (("moving", self._moving), ("plain", self._plain)):
            if average:
                average.load_state_dict(state[name])
        self._averages = state["averages"]


def _copy(network: nn.Module, average: Any) -> AveragedModel:
    copied = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    return copied.requires_grad_(False)


@torch.no_grad()
def reestimate_batch_norm(network: nn.Module, forwards: Any) -> None:
    """Measure BatchNorm's statistics anew, as the plain mean over the batches of `forwards`.

    Args:
        network: in place; without BatchNorm nothing happens.
        forwards: an iterable that computes a batch with the network each time it is advanced.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's way to say: the mean over all batches
        layer.train()
    for _ in forwards:
        pass
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
