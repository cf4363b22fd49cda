"""Which weights are validated and kept: the last ones, their moving average, or the average of the last epochs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        self._averages: dict[str, AveragedModel] = {}
        if phase2["ema_decay"]:
            self._averages["moving"] = _copy(network, get_ema_multi_avg_fn(phase2["ema_decay"]))
        if phase2["average_epochs"] > 1:
            self._averages["plain"] = _copy(network, None)

    @property
    def network(self) -> nn.Module:
        """The network to validate and to keep."""
        plain = self._averages.get("plain")
        return plain.module if plain and plain.n_averaged else self._latest

    @property
    def _latest(self) -> nn.Module:
        return self._averages["moving"].module if "moving" in self._averages else self._network

    def after_step(self) -> None:
        """The optimizer has made a step."""
        if "moving" in self._averages:
            self._averages["moving"].update_parameters(self._network)

    def after_epoch(self, epoch: int) -> None:
        """Epoch `epoch` (0-based) is trained."""
        if "plain" in self._averages and epoch >= self._first:
            self._averages["plain"].update_parameters(self._latest)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs to go on as this one."""
        return {name: average.state_dict() for name, average in self._averages.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` described."""
        for name, average in self._averages.items():
            average.load_state_dict(state[name])


def _copy(network: nn.Module, average: Any) -> AveragedModel:
    copied = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    return copied.requires_grad_(False)


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """The network's BatchNorm layers."""
    return [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


@torch.no_grad()
def reestimate_batch_norm(layers: list[nn.Module], forwards: Iterable[None]) -> None:
    """Measure BatchNorm's statistics anew, as the plain mean over the batches of `forwards`.

    Args:
        layers: in place, in eval mode afterwards; with none nothing is computed.
        forwards: an iterable that computes a batch with the network each time it is advanced.
    """
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
